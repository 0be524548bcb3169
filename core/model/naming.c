/*
 * naming.c - names from one convention into another, and English plurals for table names.
 *
 * Works on bytes: ASCII letters have case, anything from 0x80 up counts as a small letter
 * and is copied. Knows no model. A digit splits nothing before it: "address1" stays
 * "address1" in snake_case, "line2Text" is "line2_text", and back "address1", "line2Text".
 * An underscore before a digit is kept in camelCase ("address_1"), so it comes back too. Only
 * words of one letter in a row do not come back: "a_b_c" is "aBC", and that is "a_bc".
 */
#include <string.h>

#include <hysteria/model.h>

#include <base/text.h>

/* Text that is written up to the caller's size and no further. */
typedef struct sink {
    char *out;
    size_t size, at;
    bool full;  /* something did not fit */
    bool split; /* what did not fit is the rest of a character */
} sink;

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_lower(char c)
{
    return (c >= 'a' && c <= 'z') || (unsigned char)c >= 0x80;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_separator(char c)
{
    return c == '_' || c == '-' || c == ' ';
}

static char to_lower(char c)
{
    return is_upper(c) ? (char)(c | 0x20) : c;
}

static char to_upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c & ~0x20) : c;
}

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

static void put(sink *s, char c)
{
    if (!s->full && s->at + 1 < s->size) {
        s->out[s->at++] = c;
    } else if (!s->full) {
        s->full = true;
        s->split = is_continuation(c);
    }
}

static void put_all(sink *s, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        put(s, text[i]);
}

/* Ends the text; a character that was cut in the middle goes away as a whole. */
static size_t finish(sink *s)
{
    if (s->size == 0)
        return 0;
    while (s->split && s->at > 0 && is_continuation(s->out[s->at - 1]))
        s->at--;
    if (s->split && s->at > 0)
        s->at--;
    s->out[s->at] = '\0';
    return s->at;
}

/* True if a new word begins at i without a separator before it. */
static bool begins_word(const char *name, size_t size, size_t i)
{
    if (i == 0 || !is_upper(name[i]))
        return false;
    if (is_lower(name[i - 1]) || is_digit(name[i - 1]))
        return true;
    return is_upper(name[i - 1]) && i + 1 < size && is_lower(name[i + 1]);
}

static void put_snake(sink *s, const char *name, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (begins_word(name, size, i))
            put(s, '_');
        put(s, is_separator(name[i]) ? '_' : to_lower(name[i]));
    }
}

static bool has_lower(const char *name, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (is_lower(name[i]))
            return true;
    }
    return false;
}

/* A separator goes away between a character of the name and a letter, nowhere else. */
static bool is_joint(const char *name, size_t size, size_t i)
{
    return i > 0 && i + 1 < size && is_separator(name[i]) && !is_separator(name[i - 1]) &&
           (is_upper(name[i + 1]) || is_lower(name[i + 1]));
}

/* The first word as told, later words with a capital. USER_NAME is read as user_name. */
static void put_camel(sink *s, const char *name, size_t size, bool pascal)
{
    bool shout = !has_lower(name, size);
    bool first_word = true, word_start = true;

    for (size_t i = 0; i < size; i++) {
        char c = name[i];

        if (is_separator(c)) {
            if (!is_joint(name, size, i)) {
                put(s, '_');
            } else {
                word_start = true;
                first_word = false;
            }
            continue;
        }
        if (begins_word(name, size, i)) {
            word_start = true;
            first_word = false;
        }
        if (word_start && (pascal || !first_word))
            c = to_upper(c);
        else if (shout || (first_word && !pascal))
            c = to_lower(c);
        word_start = false;
        put(s, c);
    }
}

size_t hy_naming_convert(hy_naming to, const char *name, size_t name_size, char *out, size_t size)
{
    sink s = {.out = out, .size = size};

    switch (to) {
    case HY_NAMING_SNAKE:
        put_snake(&s, name, name_size);
        break;
    case HY_NAMING_CAMEL:
    case HY_NAMING_PASCAL:
        put_camel(&s, name, name_size, to == HY_NAMING_PASCAL);
        break;
    case HY_NAMING_PRESERVE:
    default:
        put_all(&s, name, name_size);
        break;
    }
    return finish(&s);
}

/* ---- plurals --------------------------------------------------------------------------- */

static const char *const uncountable[] = {
    "advice",    "aircraft",  "bison",     "chess",      "clothing", "data",     "deer",     "equipment",
    "evidence",  "feedback",  "fish",      "furniture",  "hardware", "health",   "homework", "information",
    "knowledge", "logistics", "luggage",   "mail",       "media",    "metadata", "moose",    "money",
    "music",     "news",      "offspring", "permafrost", "physics",  "police",   "politics", "rice",
    "salmon",    "series",    "sheep",     "shrimp",     "software", "species",  "staff",    "stuff",
    "traffic",   "trout",     "weather",
};

typedef struct word_pair {
    const char *one, *many;
} word_pair;

/* What the rules below would get wrong in one direction or both. */
static const word_pair irregular[] = {
    {"person", "people"},
    {"salesperson", "salespeople"},
    {"spokesperson", "spokespeople"},
    {"child", "children"},
    {"grandchild", "grandchildren"},
    {"stepchild", "stepchildren"},
    {"man", "men"},
    {"woman", "women"},
    {"salesman", "salesmen"},
    {"chairman", "chairmen"},
    {"foreman", "foremen"},
    {"workman", "workmen"},
    {"mouse", "mice"},
    {"louse", "lice"},
    {"goose", "geese"},
    {"foot", "feet"},
    {"tooth", "teeth"},
    {"ox", "oxen"},
    {"die", "dice"},
    {"datum", "data"},
    {"medium", "media"},
    {"bacterium", "bacteria"},
    {"curriculum", "curricula"},
    {"criterion", "criteria"},
    {"phenomenon", "phenomena"},
    {"stratum", "strata"},
    {"alumnus", "alumni"},
    {"radius", "radii"},
    {"stimulus", "stimuli"},
    {"nucleus", "nuclei"},
    {"analysis", "analyses"},
    {"crisis", "crises"},
    {"thesis", "theses"},
    {"hypothesis", "hypotheses"},
    {"diagnosis", "diagnoses"},
    {"synopsis", "synopses"},
    {"parenthesis", "parentheses"},
    {"synthesis", "syntheses"},
    {"emphasis", "emphases"},
    {"oasis", "oases"},
    {"axis", "axes"},
    {"iris", "irises"},
    {"leaf", "leaves"},
    {"life", "lives"},
    {"knife", "knives"},
    {"wife", "wives"},
    {"half", "halves"},
    {"self", "selves"},
    {"shelf", "shelves"},
    {"wolf", "wolves"},
    {"calf", "calves"},
    {"loaf", "loaves"},
    {"thief", "thieves"},
    {"scarf", "scarves"},
    {"hero", "heroes"},
    {"potato", "potatoes"},
    {"tomato", "tomatoes"},
    {"echo", "echoes"},
    {"veto", "vetoes"},
    {"torpedo", "torpedoes"},
    {"embargo", "embargoes"},
    {"shoe", "shoes"},
    {"toe", "toes"},
    {"canoe", "canoes"},
    {"foe", "foes"},
    {"quiz", "quizzes"},
    {"lens", "lenses"},
    {"alias", "aliases"},
    {"canvas", "canvases"},
    {"atlas", "atlases"},
    {"bias", "biases"},
    {"gas", "gases"},
    {"movie", "movies"},
    {"cookie", "cookies"},
    {"tie", "ties"},
    {"pie", "pies"},
    {"lie", "lies"},
    {"calorie", "calories"},
    {"zombie", "zombies"},
    {"selfie", "selfies"},
    {"genie", "genies"},
    {"rookie", "rookies"},
    {"cache", "caches"},
    {"niche", "niches"},
    {"epoch", "epochs"},
    {"stomach", "stomachs"},
    {"monarch", "monarchs"},
    {"tech", "techs"},
    {"use", "uses"},
    {"fuse", "fuses"},
    {"excuse", "excuses"},
    {"muse", "muses"},
    {"reuse", "reuses"},
    {"menu", "menus"},
    {"passerby", "passersby"},
};

/* Endings, the longest first: the first that fits wins. Cut `cut` characters, append `add`. */
typedef struct ending {
    const char *suffix;
    size_t cut;
    const char *add;
} ending;

static const ending plural_endings[] = {
    {"quy", 1, "ies"}, {"sis", 2, "es"}, {"xis", 2, "es"}, {"ay", 0, "s"},  {"ey", 0, "s"},  {"iy", 0, "s"},
    {"oy", 0, "s"},    {"uy", 0, "s"},   {"y", 1, "ies"},  {"ss", 0, "es"}, {"us", 0, "es"}, {"is", 0, "es"},
    {"sh", 0, "es"},   {"ch", 0, "es"},  {"x", 0, "es"},   {"z", 0, "es"},  {"s", 0, ""},    {"", 0, "s"},
};

static const ending singular_endings[] = {
    {"ouses", 1, ""}, {"auses", 1, ""}, {"sses", 2, ""}, {"shes", 2, ""}, {"ches", 2, ""}, {"zzes", 2, ""},
    {"tzes", 2, ""},  {"uses", 2, ""},  {"ies", 3, "y"}, {"xes", 2, ""},  {"oes", 2, ""},  {"ss", 0, ""},
    {"us", 0, ""},    {"is", 0, ""},    {"s", 1, ""},    {"", 0, ""},
};

static const ending unchanged = {"", 0, ""};

enum {
    N_UNCOUNTABLE = sizeof uncountable / sizeof *uncountable,
    N_IRREGULAR = sizeof irregular / sizeof *irregular
};

static bool equal(const char *word, size_t size, const char *other)
{
    return hy_text_equal_nocase(word, size, other, strlen(other));
}

/*
 * The irregular form, or the word itself where it has no other or has that form already.
 * NULL: the rules decide.
 */
static const char *look_up(const char *word, size_t size, bool plural)
{
    for (size_t i = 0; i < N_UNCOUNTABLE; i++) {
        if (equal(word, size, uncountable[i]))
            return uncountable[i];
    }
    for (size_t i = 0; i < N_IRREGULAR; i++) {
        if (equal(word, size, irregular[i].one) || equal(word, size, irregular[i].many))
            return plural ? irregular[i].many : irregular[i].one;
    }
    return NULL;
}

static const ending *find_ending(const ending *endings, const char *word, size_t size)
{
    for (;; endings++) {
        size_t n = strlen(endings->suffix);

        if (n <= size && hy_text_equal_nocase(word + size - n, n, endings->suffix, n))
            return endings;
    }
}

/* Where the last word begins: after the last separator, or at its last capital. */
static size_t last_word(const char *name, size_t size)
{
    for (size_t i = size; i-- > 0;) {
        if (is_separator(name[i]))
            return i + 1;
        if (begins_word(name, size, i))
            return i;
    }
    return 0;
}

static void put_inflected(sink *s, const char *word, size_t size, bool plural)
{
    const char *known = look_up(word, size, plural);
    const ending *e;

    if (known) {
        put(s, is_upper(word[0]) ? to_upper(known[0]) : known[0]);
        put_all(s, known + 1, strlen(known + 1));
        return;
    }
    e = find_ending(plural ? plural_endings : singular_endings, word, size);
    if (e->cut == size) /* "s" is a name, too */
        e = &unchanged;
    put_all(s, word, size - e->cut);
    put_all(s, e->add, strlen(e->add));
}

static size_t inflect(const char *name, size_t name_size, bool plural, char *out, size_t size)
{
    sink s = {.out = out, .size = size};
    size_t at = last_word(name, name_size);

    put_all(&s, name, at);
    if (at < name_size)
        put_inflected(&s, name + at, name_size - at, plural);
    return finish(&s);
}

size_t hy_naming_table(const char *model_name, char *out, size_t size)
{
    char snake[256];
    size_t n = hy_naming_convert(HY_NAMING_SNAKE, model_name, strlen(model_name), snake, sizeof snake);

    return inflect(snake, n, true, out, size);
}

size_t hy_naming_singular(const char *plural, char *out, size_t size)
{
    return inflect(plural, strlen(plural), false, out, size);
}
