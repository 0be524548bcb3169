/*
 * crypto.c - what encrypted columns are made of: XChaCha20-Poly1305 and sealed boxes, both of
 * them libsodium's.
 *
 * A key is a userdata that is wiped when it is collected; Lua sees its id, never its bytes. The
 * text that is stored:
 *
 *   hye1.<key id>.<base64url of nonce, ciphertext, tag>   the context is associated data
 *   hys1.<key id>.<base64url of a sealed box>             its hash stands before the text inside
 *
 * Messages name the context ("users.ssn"), never a key, a plaintext or a ciphertext. Knows no
 * column and no model.
 */
#include "binding.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum {
    KEY_SIZE = 32,
    ID_SIZE = 8,     /* hexadecimal digits */
    PREFIX_SIZE = 5, /* "hye1." */
    HEAD_SIZE = PREFIX_SIZE + ID_SIZE + 1,
    CONTEXT_HASH_SIZE = 16,
    NONCE_SIZE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    SYMMETRIC_OVERHEAD = NONCE_SIZE + crypto_aead_xchacha20poly1305_ietf_ABYTES,
    SEALED_OVERHEAD = CONTEXT_HASH_SIZE + crypto_box_SEALBYTES,
    BASE64 = sodium_base64_VARIANT_URLSAFE_NO_PADDING
};

typedef enum key_kind { KEY_SYMMETRIC, KEY_PUBLIC, KEY_PRIVATE, KEY_KIND_COUNT } key_kind;

typedef struct key {
    key_kind kind;
    char id[ID_SIZE + 1];
    uint8_t secret[KEY_SIZE]; /* not of KEY_PUBLIC */
    uint8_t public[KEY_SIZE]; /* not of KEY_SYMMETRIC */
} key;

static const char *const kind_words[KEY_KIND_COUNT + 1] = {"symmetric", "public", "private", NULL};

static const char *prefix_of(bool sealed)
{
    return sealed ? "hys1." : "hye1.";
}

static hy_status decrypt_status(bool sealed)
{
    return sealed ? HY_EFAILED_TO_DECRYPT_ASYMMETRICALLY : HY_EFAILED_TO_DECRYPT_SYMMETRICALLY;
}

/* ---- keys -------------------------------------------------------------------------------- */

static int key_gc(lua_State *L)
{
    sodium_memzero(lua_touserdata(L, 1), sizeof(key));
    return hyl_retire(L);
}

static int key_tostring(lua_State *L)
{
    const key *k = hyl_check(L, 1, HYL_KEY);
    lua_pushfstring(L, "%s key %s", kind_words[k->kind], k->id);
    return 1;
}

static int key_id(lua_State *L)
{
    lua_pushstring(L, ((const key *)hyl_check(L, 1, HYL_KEY))->id);
    return 1;
}

/* Random bytes are never all printable: what is, was typed by somebody. */
static bool is_typed(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text[i] < 0x20 || (unsigned char)text[i] > 0x7E)
            return false;
    return true;
}

/* 32 bytes as they are, as 64 hexadecimal digits, or as base64 of either alphabet. */
static bool read_key_bytes(const char *text, size_t size, uint8_t out[KEY_SIZE])
{
    static const int variants[] = {sodium_base64_VARIANT_ORIGINAL, sodium_base64_VARIANT_ORIGINAL_NO_PADDING,
                                   sodium_base64_VARIANT_URLSAFE, sodium_base64_VARIANT_URLSAFE_NO_PADDING};
    size_t n = 0;
    if (size == KEY_SIZE && !is_typed(text, size)) {
        memcpy(out, text, KEY_SIZE);
        return true;
    }
    if (size == 2 * (size_t)KEY_SIZE)
        return sodium_hex2bin(out, KEY_SIZE, text, size, NULL, &n, NULL) == 0 && n == KEY_SIZE;
    for (size_t i = 0; i < sizeof variants / sizeof *variants && (size == 43 || size == 44); i++)
        if (sodium_base642bin(out, KEY_SIZE, text, size, NULL, &n, NULL, variants[i]) == 0 && n == KEY_SIZE)
            return true;
    return false;
}

/* What tells one key from another without telling the key. */
static void name_key(key *k)
{
    static const unsigned char subject[] = "hysteria key";
    uint8_t hash[crypto_generichash_BYTES_MIN];
    const uint8_t *bytes = k->kind == KEY_SYMMETRIC ? k->secret : k->public;
    crypto_generichash(hash, sizeof hash, subject, sizeof subject - 1, bytes, KEY_SIZE);
    sodium_bin2hex(k->id, sizeof k->id, hash, ID_SIZE / 2);
}

/* core.key(kind, text): nil where the text is no key */
static int new_key(lua_State *L)
{
    int kind = luaL_checkoption(L, 1, NULL, kind_words);
    size_t size;
    const char *text = luaL_checklstring(L, 2, &size);
    key *k = hyl_new(L, HYL_KEY, sizeof *k, 0);
    k->kind = (key_kind)kind;
    if (!read_key_bytes(text, size, kind == KEY_PUBLIC ? k->public : k->secret))
        return 0;
    if (kind == KEY_PRIVATE)
        crypto_scalarmult_base(k->public, k->secret);
    name_key(k);
    return 1;
}

/* core.derivedKey(passphrase, salt): a symmetric key by Argon2id */
static int derived_key(lua_State *L)
{
    size_t size, salt_size;
    const char *passphrase = luaL_checklstring(L, 1, &size);
    const char *salt = luaL_checklstring(L, 2, &salt_size);
    uint8_t salt_hash[crypto_pwhash_SALTBYTES];
    key *k = hyl_new(L, HYL_KEY, sizeof *k, 0);
    crypto_generichash(salt_hash, sizeof salt_hash, (const uint8_t *)salt, salt_size, NULL, 0);
    if (crypto_pwhash(k->secret, KEY_SIZE, passphrase, size, salt_hash, crypto_pwhash_OPSLIMIT_MODERATE,
                      crypto_pwhash_MEMLIMIT_MODERATE, crypto_pwhash_ALG_ARGON2ID13) != 0)
        return hyl_fail(L, HY_EOUT_OF_MEMORY, "not enough memory to derive a key");
    name_key(k);
    return 1;
}

static void push_base64(lua_State *L, const uint8_t bytes[KEY_SIZE])
{
    char text[sodium_base64_ENCODED_LEN(KEY_SIZE, sodium_base64_VARIANT_ORIGINAL)];
    sodium_bin2base64(text, sizeof text, bytes, KEY_SIZE, sodium_base64_VARIANT_ORIGINAL);
    lua_pushstring(L, text);
    sodium_memzero(text, sizeof text);
}

/* core.generateKey(): 32 random bytes as base64 */
static int generate_key(lua_State *L)
{
    uint8_t bytes[KEY_SIZE];
    randombytes_buf(bytes, sizeof bytes);
    push_base64(L, bytes);
    sodium_memzero(bytes, sizeof bytes);
    return 1;
}

/* core.generateKeyPair(): public and private key as base64 */
static int generate_key_pair(lua_State *L)
{
    uint8_t public[KEY_SIZE], secret[KEY_SIZE];
    crypto_box_keypair(public, secret);
    push_base64(L, public);
    push_base64(L, secret);
    sodium_memzero(secret, sizeof secret);
    return 2;
}

/* ---- encrypting -------------------------------------------------------------------------- */

static void hash_context(const char *context, size_t size, uint8_t out[CONTEXT_HASH_SIZE])
{
    crypto_generichash(out, CONTEXT_HASH_SIZE, (const uint8_t *)context, size, NULL, 0);
}

/* The block as stored text. */
static int push_stored(lua_State *L, const key *k, const uint8_t *block, size_t size)
{
    size_t room = sodium_base64_encoded_len(size, BASE64); /* with the NUL */
    luaL_Buffer b;
    char *out = luaL_buffinitsize(L, &b, HEAD_SIZE + room);
    snprintf(out, HEAD_SIZE + 1, "%s%s.", prefix_of(k->kind != KEY_SYMMETRIC), k->id);
    sodium_bin2base64(out + HEAD_SIZE, room, block, size, BASE64);
    luaL_pushresultsize(&b, HEAD_SIZE + room - 1);
    return 1;
}

static int encrypt(lua_State *L, const key *k, const char *text, size_t size, const char *context,
                   size_t context_size)
{
    uint8_t *block = lua_newuserdatauv(L, SYMMETRIC_OVERHEAD + size, 0);
    randombytes_buf(block, NONCE_SIZE);
    crypto_aead_xchacha20poly1305_ietf_encrypt(block + NONCE_SIZE, NULL, (const uint8_t *)text, size,
                                               (const uint8_t *)context, context_size, NULL, block,
                                               k->secret);
    return push_stored(L, k, block, SYMMETRIC_OVERHEAD + size);
}

static int seal(lua_State *L, const key *k, const char *text, size_t size, const char *context,
                size_t context_size)
{
    uint8_t *block = lua_newuserdatauv(L, SEALED_OVERHEAD + size, 0);
    uint8_t *plain = lua_newuserdatauv(L, CONTEXT_HASH_SIZE + size, 0);
    hash_context(context, context_size, plain);
    memcpy(plain + CONTEXT_HASH_SIZE, text, size);
    int failed = crypto_box_seal(block, plain, CONTEXT_HASH_SIZE + size, k->public);
    sodium_memzero(plain, CONTEXT_HASH_SIZE + size);
    if (failed)
        return hyl_fail(L, HY_EFAILED_TO_ENCRYPT_ASYMMETRICALLY, "%.120s: the public key cannot be used",
                        context);
    return push_stored(L, k, block, SEALED_OVERHEAD + size);
}

/* core.encrypt(key, text, context) */
static int core_encrypt(lua_State *L)
{
    const key *k = hyl_check(L, 1, HYL_KEY);
    size_t size, context_size;
    const char *text = luaL_checklstring(L, 2, &size);
    const char *context = luaL_checklstring(L, 3, &context_size);
    lua_settop(L, 3);
    return (k->kind == KEY_SYMMETRIC ? encrypt : seal)(L, k, text, size, context, context_size);
}

/* ---- decrypting -------------------------------------------------------------------------- */

/* A stored text, taken apart. */
typedef struct stored {
    bool sealed;
    char id[ID_SIZE + 1];
    uint8_t *block;
    size_t size;
} stored;

static bool has_prefix(const char *text, size_t size, bool sealed)
{
    return size > HEAD_SIZE && memcmp(text, prefix_of(sealed), PREFIX_SIZE) == 0 &&
           text[HEAD_SIZE - 1] == '.';
}

/* Leaves the block on the stack. False: the text is nothing that push_stored() made. */
static bool read_stored(lua_State *L, const char *text, size_t size, stored *out)
{
    out->sealed = has_prefix(text, size, true);
    if (!out->sealed && !has_prefix(text, size, false))
        return false;
    memcpy(out->id, text + PREFIX_SIZE, ID_SIZE);
    out->id[ID_SIZE] = '\0';
    out->block = lua_newuserdatauv(L, size, 0);
    return sodium_base642bin(out->block, size, text + HEAD_SIZE, size - HEAD_SIZE, NULL, &out->size, NULL,
                             BASE64) == 0 &&
           out->size >= (size_t)(out->sealed ? SEALED_OVERHEAD : SYMMETRIC_OVERHEAD);
}

/* Push a plaintext and wipe where it was. */
static void push_plain(lua_State *L, uint8_t *plain, size_t size, size_t skip)
{
    lua_pushlstring(L, (const char *)plain + skip, size - skip);
    sodium_memzero(plain, size);
}

static bool push_decrypted(lua_State *L, const key *k, const stored *s, const char *context,
                           size_t context_size)
{
    size_t size = s->size - SYMMETRIC_OVERHEAD;
    uint8_t *plain = lua_newuserdatauv(L, size, 0);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL, s->block + NONCE_SIZE,
                                                   s->size - NONCE_SIZE, (const uint8_t *)context,
                                                   context_size, s->block, k->secret) != 0)
        return false;
    push_plain(L, plain, size, 0);
    return true;
}

static bool push_opened(lua_State *L, const key *k, const stored *s, const char *context, size_t context_size)
{
    size_t size = s->size - crypto_box_SEALBYTES;
    uint8_t *plain = lua_newuserdatauv(L, size, 0), hash[CONTEXT_HASH_SIZE];
    if (crypto_box_seal_open(plain, s->block, s->size, k->public, k->secret) != 0)
        return false;
    hash_context(context, context_size, hash);
    if (sodium_memcmp(plain, hash, sizeof hash) != 0)
        return false;
    push_plain(L, plain, size, sizeof hash);
    return true;
}

/* Does the key have the id, and is it of the sort that made the text? */
static bool is_meant(const key *k, const stored *s)
{
    return (k->kind != KEY_SYMMETRIC) == s->sealed && strcmp(k->id, s->id) == 0;
}

/* core.decrypt(keys, text, context): nil where only the public key of it is known */
static int core_decrypt(lua_State *L)
{
    size_t size, context_size;
    luaL_checktype(L, 1, LUA_TTABLE);
    const char *text = luaL_checklstring(L, 2, &size);
    const char *context = luaL_checklstring(L, 3, &context_size);
    lua_settop(L, 3);
    lua_rawgeti(L, 1, 1);
    const key *k = hyl_check(L, 4, HYL_KEY);
    stored s = {.sealed = k->kind != KEY_SYMMETRIC};
    bool tried = false, write_only = false;
    if (!read_stored(L, text, size, &s))
        return hyl_fail(L, decrypt_status(k->kind != KEY_SYMMETRIC),
                        "%.120s: the stored value is not encrypted, or was damaged", context);
    for (lua_Integer i = 1; lua_rawgeti(L, 1, i) != LUA_TNIL; i++) {
        k = hyl_check(L, -1, HYL_KEY);
        hyl_need_stack(L, 8);
        if (!is_meant(k, &s))
            continue;
        tried = tried || k->kind != KEY_PUBLIC;
        write_only = write_only || k->kind == KEY_PUBLIC;
        if (k->kind == KEY_PUBLIC)
            continue;
        if ((s.sealed ? push_opened : push_decrypted)(L, k, &s, context, context_size))
            return 1;
    }
    if (write_only && !tried)
        return 0;
    if (!tried)
        return hyl_fail(L, decrypt_status(s.sealed), "%.120s: the key that it was encrypted with is missing",
                        context);
    return hyl_fail(L, decrypt_status(s.sealed),
                    "%.120s: the stored value was changed, or belongs to another column", context);
}

/* ---- tokens -------------------------------------------------------------------------------- */

enum { TOKEN_SUM = crypto_generichash_BYTES_MIN };

/* core.token(text) -> the text with a check sum, for URLs: nobody's secret, but whole */
static int core_token(lua_State *L)
{
    size_t size;
    const char *text = luaL_checklstring(L, 1, &size);
    luaL_Buffer bytes;
    uint8_t *at = (uint8_t *)luaL_buffinitsize(L, &bytes, TOKEN_SUM + size);
    crypto_generichash(at, TOKEN_SUM, (const uint8_t *)text, size, NULL, 0);
    memcpy(at + TOKEN_SUM, text, size);
    luaL_pushresultsize(&bytes, TOKEN_SUM + size);
    const uint8_t *whole = (const uint8_t *)lua_tostring(L, -1);
    size_t room = sodium_base64_encoded_len(TOKEN_SUM + size, BASE64);
    luaL_Buffer out;
    char *token = luaL_buffinitsize(L, &out, room);
    sodium_bin2base64(token, room, whole, TOKEN_SUM + size, BASE64);
    luaL_pushresultsize(&out, room - 1);
    return 1;
}

/* core.untoken(token) -> the text, or nil where it is not as it was made */
static int core_untoken(lua_State *L)
{
    size_t size, n;
    const char *token = luaL_checklstring(L, 1, &size);
    uint8_t sum[TOKEN_SUM];
    luaL_Buffer out;
    uint8_t *bytes = (uint8_t *)luaL_buffinitsize(L, &out, size + 1);
    bool fine = sodium_base642bin(bytes, size, token, size, NULL, &n, NULL, BASE64) == 0 && n > TOKEN_SUM;
    if (fine) {
        crypto_generichash(sum, TOKEN_SUM, bytes + TOKEN_SUM, n - TOKEN_SUM, NULL, 0);
        fine = sodium_memcmp(sum, bytes, TOKEN_SUM) == 0;
    }
    luaL_pushresultsize(&out, fine ? n : 0);
    if (!fine)
        return 0;
    const char *whole = lua_tostring(L, -1);
    lua_pushlstring(L, whole + TOKEN_SUM, n - TOKEN_SUM);
    return 1;
}

void hyl_crypto_open(lua_State *L)
{
    static const luaL_Reg meta[] = {{"__gc", key_gc}, {"__tostring", key_tostring}, {NULL, NULL}};
    static const luaL_Reg methods[] = {{"id", key_id}, {NULL, NULL}};
    static const luaL_Reg functions[] = {
        {"key", new_key},
        {"derivedKey", derived_key},
        {"generateKey", generate_key},
        {"generateKeyPair", generate_key_pair},
        {"encrypt", core_encrypt},
        {"decrypt", core_decrypt},
        {"token", core_token},
        {"untoken", core_untoken},
        {NULL, NULL},
    };
    hyl_type_new(L, HYL_KEY, "hysteria.key", methods, meta);
    lua_pop(L, 1);
    luaL_setfuncs(L, functions, 0);
}
