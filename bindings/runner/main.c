/*
 * main.c - hysteria-lua: a Lua 5.4 with Hysteria built in.
 *
 * Runs a script file, a line of code, standard input or a command. The globals `hysteria` and `sql` are
 * set here and only here. Exit: 0 fine, 1 the script failed, 2 wrong usage, 130 interrupted.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lualib.h>

#include "binding.h"

enum { EXIT_USAGE = 2, EXIT_INTERRUPTED = 130 };

static const char usage[] = "usage: hysteria-lua [options] [script.lua [arguments]]\n"
                            "       hysteria-lua explain [CODE]\n"
                            "\n"
                            "  script.lua       run a file; `arg` holds the arguments\n"
                            "  -                run standard input\n"
                            "  -e CODE          run CODE (may be given several times, before the script)\n"
                            "  -v, --version    print versions\n"
                            "  -h, --help       print this\n"
                            "  explain CODE     what an error code means; without CODE, all of them\n"
                            "\n"
                            "Globals besides Lua's own: hysteria, sql.\n"
                            "Exit: 0 fine, 1 the script failed, 2 wrong usage, 130 interrupted.\n";

/* ---- interruption -------------------------------------------------------------------------------- */

static lua_State *interrupted_state;
static volatile sig_atomic_t was_interrupted;

static void stop_hook(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    lua_sethook(L, NULL, 0, 0);
    luaL_error(L, "interrupted");
}

/* The first signal raises in the script, the second ends the process. */
static void on_interrupt(int number)
{
    signal(number, SIG_DFL);
    was_interrupted = 1;
    lua_sethook(interrupted_state, stop_hook, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

/* ---- running ------------------------------------------------------------------------------------------ */

/* The error as text, with a traceback. Runs protected. */
static int describe(lua_State *L)
{
    const char *message = lua_tostring(L, 1);
    if (message == NULL) {
        if (luaL_getmetafield(L, 1, "__tostring") == LUA_TNIL) {
            lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
        } else {
            lua_pop(L, 1);
            luaL_tolstring(L, 1, NULL);
        }
        message = lua_tostring(L, -1);
    }
    luaL_traceback(L, L, message, 1);
    return 1;
}

static int report(lua_State *L, int status)
{
    if (status == LUA_OK)
        return EXIT_SUCCESS;
    const char *message = lua_tostring(L, -1);
    fprintf(stderr, "hysteria-lua: %s\n", message != NULL ? message : "(error with no message)");
    lua_pop(L, 1);
    return was_interrupted ? EXIT_INTERRUPTED : EXIT_FAILURE;
}

/* Call the chunk below its `n_args` arguments. */
static int call_chunk(lua_State *L, int n_args)
{
    int base = lua_gettop(L) - n_args;
    lua_pushcfunction(L, describe);
    lua_insert(L, base);
    signal(SIGINT, on_interrupt);
    int status = lua_pcall(L, n_args, 0, base);
    signal(SIGINT, SIG_DFL);
    lua_remove(L, base);
    return status;
}

static int run_code(lua_State *L, const char *code)
{
    int status = luaL_loadbufferx(L, code, strlen(code), "=(command line)", "t");
    if (status == LUA_OK)
        status = call_chunk(L, 0);
    return report(L, status);
}

/* `argv[first]` is the script ("-": standard input); the rest are its arguments. */
static int run_script(lua_State *L, char **argv, int first)
{
    const char *name = argv[first];
    int status = luaL_loadfilex(L, strcmp(name, "-") == 0 ? NULL : name, "t");
    if (status != LUA_OK)
        return report(L, status);
    int n = 0;
    for (; argv[first + 1 + n] != NULL; n++) {
        luaL_checkstack(L, 4, "too many arguments");
        lua_pushstring(L, argv[first + 1 + n]);
    }
    return report(L, call_chunk(L, n));
}

/* The module of a command, NULL: the name is a script's. ./NAME is always a script. */
static const char *command_module(const char *name)
{
    static const char *const commands[][2] = {{"explain", "hysteria.cli.explain"}};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(name, commands[i][0]) == 0)
            return commands[i][1];
    return NULL;
}

/* require(module).run(arguments): its result is the exit code. */
static int run_command(lua_State *L, const char *module, char **arguments)
{
    lua_getglobal(L, "require");
    lua_pushstring(L, module);
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "run");
    lua_newtable(L);
    for (int i = 0; arguments[i] != NULL; i++) {
        lua_pushstring(L, arguments[i]);
        lua_rawseti(L, -2, i + 1);
    }
    lua_call(L, 1, 1);
    return (int)lua_tointeger(L, -1);
}

static void set_arg(lua_State *L, int argc, char **argv, int script)
{
    lua_createtable(L, argc, 1);
    for (int i = 0; i < argc; i++) {
        lua_pushstring(L, argv[i]);
        lua_rawseti(L, -2, i - script);
    }
    lua_setglobal(L, "arg");
}

static void set_global(lua_State *L, const char *module, const char *field, const char *global)
{
    lua_getglobal(L, "require");
    lua_pushstring(L, module);
    lua_call(L, 1, 1);
    if (field != NULL)
        lua_getfield(L, -1, field);
    lua_setglobal(L, global);
    lua_settop(L, 1);
}

/* ---- command line -------------------------------------------------------------------------------------- */

typedef struct arguments {
    int argc;
    char **argv;
    int script; /* index of the script, argc: none */
    int result;
} arguments;

static int usage_error(const char *what, const char *argument)
{
    fprintf(stderr, "hysteria-lua: %s '%s'\n%s", what, argument, usage);
    return EXIT_USAGE;
}

static void print_version(void)
{
    printf("Hysteria %s, %s\n", hy_version(), LUA_RELEASE);
}

/* What can be answered without a Lua state. -1: go on. */
static int scan_options(arguments *a)
{
    a->script = a->argc;
    for (int i = 1; i < a->argc; i++) {
        const char *arg = a->argv[i];
        if (arg[0] != '-' || strcmp(arg, "-") == 0) {
            a->script = i;
            return -1;
        }
        if (strcmp(arg, "-h") == 0 || strcmp(arg, "--help") == 0)
            return fputs(usage, stdout), EXIT_SUCCESS;
        if (strcmp(arg, "-v") == 0 || strcmp(arg, "--version") == 0)
            return print_version(), EXIT_SUCCESS;
        if (strcmp(arg, "-e") != 0)
            return usage_error("no such option", arg);
        if (++i == a->argc)
            return usage_error("code is missing after", "-e");
    }
    if (a->argc == 1)
        return fputs(usage, stderr), EXIT_USAGE;
    return -1;
}

static int protected_main(lua_State *L)
{
    arguments *a = lua_touserdata(L, 1);
    luaL_checkversion(L);
    luaL_openlibs(L);
    hy_lua_preload(L);
    set_arg(L, a->argc, a->argv, a->script < a->argc ? a->script : 0);
    set_global(L, "hysteria", NULL, "hysteria");
    set_global(L, "hysteria", "sql", "sql");
    for (int i = 1; i < a->script && a->result == EXIT_SUCCESS; i++)
        if (strcmp(a->argv[i], "-e") == 0)
            a->result = run_code(L, a->argv[++i]);
    const char *command = a->script < a->argc ? command_module(a->argv[a->script]) : NULL;
    if (a->result == EXIT_SUCCESS && command != NULL)
        a->result = run_command(L, command, a->argv + a->script + 1);
    else if (a->result == EXIT_SUCCESS && a->script < a->argc)
        a->result = run_script(L, a->argv, a->script);
    return 0;
}

int main(int argc, char **argv)
{
    arguments a = {.argc = argc, .argv = argv};
    int answered = scan_options(&a);
    if (answered >= 0)
        return answered;
    lua_State *L = luaL_newstate();
    if (L == NULL) {
        fputs("hysteria-lua: not enough memory\n", stderr);
        return EXIT_FAILURE;
    }
    interrupted_state = L;
    lua_pushcfunction(L, protected_main);
    lua_pushlightuserdata(L, &a);
    int status = lua_pcall(L, 1, 0, 0);
    if (status != LUA_OK)
        a.result = report(L, status);
    lua_close(L);
    return a.result;
}
