/*
 * ids.c - identifiers made on this side: UUID version 4 and 7 (RFC 9562) and ULID.
 *
 * Randomness from libsodium. Version 7 and ULID carry milliseconds first; inside one
 * millisecond (or when the clock goes back) the random part counts up, so that the ids of
 * one process always sort in the order they were made. The counter is shared by threads; a
 * forked child begins anew, since its parent counts on from the same random part.
 */
#include "binding.h"

#include <pthread.h>
#include <sodium.h>
#include <string.h>

#include "base/text.h"

typedef struct counter {
    pthread_mutex_t lock;
    int64_t millis;
    uint8_t random[10];
} counter;

static counter uuid_counter = {.lock = PTHREAD_MUTEX_INITIALIZER};
static counter ulid_counter = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void begin_anew(void)
{
    static const pthread_mutex_t unlocked = PTHREAD_MUTEX_INITIALIZER; /* a thread that is gone may hold it */
    uuid_counter = (counter){.lock = unlocked};
    ulid_counter = (counter){.lock = unlocked};
}

static void watch_forks(void)
{
    (void)pthread_atfork(NULL, NULL, begin_anew);
}

/* Add one to a big-endian number; false when it wraps. */
static bool increment(uint8_t *bytes, int n)
{
    for (int i = n - 1; i >= 0; i--)
        if (++bytes[i] != 0)
            return true;
    return false;
}

/* The next (time, random) pair of a counter: 6 bytes of time, n of random. */
static void next_pair(counter *c, uint8_t time[6], uint8_t *random, int n)
{
    int64_t now = hy_now_micros() / 1000;
    pthread_mutex_lock(&c->lock);
    if (now > c->millis) {
        c->millis = now;
        randombytes_buf(c->random, sizeof c->random);
        c->random[0] &= 0x7F; /* room to count up */
    } else if (!increment(c->random, n)) {
        c->millis++;
    }
    int64_t millis = c->millis;
    memcpy(random, c->random, (size_t)n);
    pthread_mutex_unlock(&c->lock);
    for (int i = 5; i >= 0; i--, millis >>= 8)
        time[i] = (uint8_t)millis;
}

static int push_uuid(lua_State *L, uint8_t uuid[16], int version)
{
    char text[37];
    uuid[6] = (uint8_t)((uuid[6] & 0x0F) | version << 4);
    uuid[8] = (uint8_t)((uuid[8] & 0x3F) | 0x80);
    hy_uuid_format(uuid, text);
    lua_pushlstring(L, text, 36);
    return 1;
}

static int core_uuid4(lua_State *L)
{
    uint8_t uuid[16];
    randombytes_buf(uuid, sizeof uuid);
    return push_uuid(L, uuid, 4);
}

/* 48 bits of time, then 74 bits that count up: 12 beside the version, 62 beside the variant. */
static int core_uuid7(lua_State *L)
{
    uint8_t uuid[16], count[9];
    next_pair(&uuid_counter, uuid, count, sizeof count);
    uint16_t high = (uint16_t)((count[0] << 4 | count[1] >> 4) & 0x0FFF);
    uint64_t low = count[1] & 0x0F;
    for (int i = 2; i < 9; i++)
        low = low << 8 | count[i];
    uuid[6] = (uint8_t)(high >> 8);
    uuid[7] = (uint8_t)high;
    for (int i = 15; i >= 8; i--, low >>= 8)
        uuid[i] = (uint8_t)low;
    return push_uuid(L, uuid, 7);
}

/* 26 characters of Crockford's base 32: 48 bits of time, 80 that count up. */
static int core_ulid(lua_State *L)
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    uint8_t bytes[16];
    next_pair(&ulid_counter, bytes, bytes + 6, 10);
    char text[26];
    unsigned bits = 0, n_bits = 2; /* 130 digits' bits carry 128: two leading zero bits */
    int at = 0;
    for (int i = 0; i < 16; i++) {
        bits = bits << 8 | bytes[i];
        for (n_bits += 8; n_bits >= 5; n_bits -= 5)
            text[at++] = digits[bits >> (n_bits - 5) & 31];
    }
    lua_pushlstring(L, text, 26);
    return 1;
}

static int core_now(lua_State *L)
{
    char text[HY_TIMESTAMP_TEXT_SIZE];
    lua_pushlstring(L, text, hy_timestamp_format(hy_now_micros(), text));
    return 1;
}

static int core_monotonic(lua_State *L)
{
    lua_pushnumber(L, (double)hy_monotonic_ns() / 1e9);
    return 1;
}

void hyl_ids_open(lua_State *L)
{
    static const luaL_Reg functions[] = {{"uuid4", core_uuid4},         {"uuid7", core_uuid7},
                                         {"ulid", core_ulid},           {"now", core_now},
                                         {"monotonic", core_monotonic}, {NULL, NULL}};
    static pthread_once_t watched = PTHREAD_ONCE_INIT;
    (void)pthread_once(&watched, watch_forks);
    if (sodium_init() < 0)
        hyl_fail(L, HY_EDEVELOPMENT_ERROR, "no source of randomness");
    luaL_setfuncs(L, functions, 0);
}
