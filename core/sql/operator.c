/*
 * operator.c - the operators' words and how many operands each takes.
 *
 * Tables made from HY_OP_MAP. Knows no dialect: how one is spelled stands in dialects.c.
 */
#include <string.h>

#include <base/text.h>
#include <hysteria/query.h>

static const char *const op_words[HY_OP_COUNT] = {
#define WORD(name, word, arity, spelling) [HY_OP_##name] = word,
    HY_OP_MAP(WORD)
#undef WORD
};

static const int op_arities[HY_OP_COUNT] = {
#define ARITY(name, word, arity, spelling) [HY_OP_##name] = arity,
    HY_OP_MAP(ARITY)
#undef ARITY
};

/* More words for the same operators. */
static const struct {
    const char *word;
    hy_op op;
} op_synonyms[] = {
    {"==", HY_OP_EQ},
    {"<>", HY_OP_NE},
    {"is", HY_OP_NULLSAFE_EQ},
    {"is not", HY_OP_NULLSAFE_NE},
};

hy_op hy_op_from_word(const char *word, size_t size)
{
    for (hy_op op = 0; op < HY_OP_COUNT; op++)
        if (hy_text_equal_nocase(word, size, op_words[op], strlen(op_words[op])))
            return op;
    for (size_t i = 0; i < sizeof op_synonyms / sizeof op_synonyms[0]; i++)
        if (hy_text_equal_nocase(word, size, op_synonyms[i].word, strlen(op_synonyms[i].word)))
            return op_synonyms[i].op;
    return HY_OP_COUNT;
}

const char *hy_op_word(hy_op op)
{
    return (unsigned)op < HY_OP_COUNT ? op_words[op] : "";
}

int hy_op_arity(hy_op op)
{
    return (unsigned)op < HY_OP_COUNT ? op_arities[op] : 0;
}
