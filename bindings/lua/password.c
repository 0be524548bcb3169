/*
 * password.c - what hashed columns are made of: libsodium's Argon2id.
 *
 * A hash takes a tenth of a second and 64 MiB, or more. In a task it is computed by another
 * thread and the task waits, so that the others go on; elsewhere, and where no thread is to be
 * had, here and now. Messages never hold a password or a hash. Knows no column and no model.
 */
#include "binding.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

/* Hashes at the same time: each has its memory. */
enum { MOST_THREADS = 4 };

typedef struct limits {
    unsigned long long operations;
    size_t memory;
} limits;

static const char *const strength_words[] = {"interactive", "moderate", "sensitive", NULL};

static const limits strengths[] = {
    {crypto_pwhash_OPSLIMIT_INTERACTIVE, crypto_pwhash_MEMLIMIT_INTERACTIVE},
    {crypto_pwhash_OPSLIMIT_MODERATE, crypto_pwhash_MEMLIMIT_MODERATE},
    {crypto_pwhash_OPSLIMIT_SENSITIVE, crypto_pwhash_MEMLIMIT_SENSITIVE},
};

/* One hash to be made, or to be compared with. */
typedef struct hashing {
    const limits *limits; /* NULL: compare */
    char hash[crypto_pwhash_STRBYTES];
    int rc, error; /* the library's answer, and errno then */
    size_t size;
    char text[];
} hashing;

/* While a task waits: closed with its coroutine. */
typedef struct hyl_hashing {
    hashing *work; /* the job's, where there is one */
    hy_job *job;
} hyl_hashing;

static void run_hashing(void *ctx)
{
    hashing *h = ctx;
    errno = 0;
    h->rc = h->limits == NULL
                ? crypto_pwhash_str_verify(h->hash, h->text, h->size)
                : crypto_pwhash_str(h->hash, h->text, h->size, h->limits->operations, h->limits->memory);
    h->error = errno;
}

static void drop_hashing(void *ctx)
{
    hashing *h = ctx;
    sodium_memzero(h->text, h->size);
    hy_free(h);
}

static int hashing_close(lua_State *L)
{
    hyl_hashing *slot = lua_touserdata(L, 1);
    if (slot->job != NULL)
        hy_job_release(slot->job);
    else if (slot->work != NULL)
        drop_hashing(slot->work);
    slot->job = NULL;
    slot->work = NULL;
    return 0;
}

static int hashing_gc(lua_State *L)
{
    hashing_close(L);
    return hyl_retire(L);
}

/* ---- in another thread ------------------------------------------------------------------- */

/* True: another thread has begun, or will. */
static bool start(lua_State *L, hyl_hashing *slot)
{
    hyl_state *state = hyl_state_get(L);
    if (!hyl_may_yield(L))
        return false;
    if (state->hashers == NULL)
        state->hashers = hy_worker_new(MOST_THREADS);
    return state->hashers != NULL &&
           hy_job_start(state->hashers, run_hashing, drop_hashing, slot->work, &slot->job, NULL) == HY_OK;
}

static int push_answer(lua_State *L, const hashing *h)
{
    bool makes = h->limits != NULL;
    if (makes ? h->rc != 0 : h->rc != 0 && h->error == ENOMEM)
        return hyl_fail(L, HY_EOUT_OF_MEMORY, "not enough memory to %s a password",
                        makes ? "hash" : "verify");
    if (makes)
        lua_pushstring(L, h->hash);
    else if (h->rc == 0 || h->error == EINVAL)
        lua_pushboolean(L, h->rc == 0);
    else
        lua_pushnil(L); /* no hash that the library can read */
    return 1;
}

/* The slot is at `at`, marked to be closed. */
static int wait_for_answer(lua_State *L, int status, lua_KContext at)
{
    hyl_hashing *slot = lua_touserdata(L, (int)at);
    hy_wait wait;
    (void)status;
    lua_settop(L, (int)at);
    if (!hy_job_done(slot->job, &wait))
        return hyl_yield(L, &wait, at, wait_for_answer);
    return push_answer(L, slot->work);
}

/* Push the answer for `text`, which is compared with `hash`, or hashed where limits are given. */
static int answer(lua_State *L, const char *text, size_t size, const limits *with, const char *hash)
{
    hyl_hashing *slot = hyl_new(L, HYL_HASHING, sizeof *slot, 0);
    int at = lua_gettop(L);
    hashing *h = slot->work = hy_alloc(sizeof *h + size);
    if (h == NULL)
        return hyl_fail(L, HY_EOUT_OF_MEMORY, "out of memory");
    h->limits = with;
    h->size = size;
    memcpy(h->text, text, size);
    if (hash != NULL)
        memcpy(h->hash, hash, sizeof h->hash);
    lua_toclose(L, at);
    if (start(L, slot))
        return wait_for_answer(L, LUA_OK, at);
    run_hashing(h);
    return push_answer(L, h);
}

/* ---- for Lua ----------------------------------------------------------------------------- */

/* core.passwordHash(text, strength) */
static int password_hash(lua_State *L)
{
    size_t size;
    const char *text = hyl_need_text(L, 1, "hash", "text", &size);
    const limits *with = &strengths[luaL_checkoption(L, 2, "interactive", strength_words)];
    return answer(L, text, size, with, NULL);
}

/* The hash at index as libsodium wants it; false for a text that can be none. */
static bool read_hash(lua_State *L, int index, char hash[crypto_pwhash_STRBYTES])
{
    size_t size;
    const char *text = luaL_checklstring(L, index, &size);
    bool known = strncmp(text, "$argon2id$", 10) == 0 || strncmp(text, "$argon2i$", 9) == 0;
    if (size >= crypto_pwhash_STRBYTES || strlen(text) != size || !known)
        return false;
    memset(hash, 0, crypto_pwhash_STRBYTES);
    memcpy(hash, text, size);
    return true;
}

/* core.passwordVerify(hash, text): true, false, or nil where `hash` is no hash */
static int password_verify(lua_State *L)
{
    char hash[crypto_pwhash_STRBYTES];
    size_t size;
    const char *text = hyl_need_text(L, 2, "verify", "text", &size);
    if (!read_hash(L, 1, hash))
        return 0;
    return answer(L, text, size, NULL, hash);
}

/* core.passwordNeedsRehash(hash, strength): true, false, or nil where `hash` is no hash */
static int password_needs_rehash(lua_State *L)
{
    char hash[crypto_pwhash_STRBYTES];
    const limits *with = &strengths[luaL_checkoption(L, 2, "interactive", strength_words)];
    int needs =
        read_hash(L, 1, hash) ? crypto_pwhash_str_needs_rehash(hash, with->operations, with->memory) : -1;
    if (needs < 0)
        return 0;
    lua_pushboolean(L, needs != 0);
    return 1;
}

void hyl_password_open(lua_State *L)
{
    static const luaL_Reg meta[] = {{"__gc", hashing_gc}, {"__close", hashing_close}, {NULL, NULL}};
    static const luaL_Reg functions[] = {
        {"passwordHash", password_hash},
        {"passwordVerify", password_verify},
        {"passwordNeedsRehash", password_needs_rehash},
        {NULL, NULL},
    };
    hyl_type_new(L, HYL_HASHING, "hysteria.hashing", NULL, meta);
    lua_pop(L, 1);
    luaL_setfuncs(L, functions, 0);
}
