/* embed OUTPUT ROOT FILE...: the Lua files as one C file (engine/runner/embedded.h): their text, and their bytecode
 * with line numbers, so that a runner starts without compiling its library. Built and run with the same Lua. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

static void die(const char *what, const char *why)
{
    (void)fprintf(stderr, "embed: %s: %s\n", what, why);
    exit(1);
}

static void begin(FILE *out, const char *kind, int n)
{
    (void)fprintf(out, "static const unsigned char %s_%d[] = {", kind, n);
}

static int write_bytes(lua_State *L, const void *data, size_t size, void *out)
{
    (void)L;
    for (size_t i = 0; i < size; i++) {
        (void)fprintf(out, "%u,", ((const unsigned char *)data)[i]);
    }
    return 0;
}

static char *read_all(const char *path, size_t *size)
{
    FILE *in = fopen(path, "rb");
    if (!in || fseek(in, 0, SEEK_END) != 0 || (*size = (size_t)ftell(in)) == 0) {
        die(path, "cannot be read, or is empty");
    }
    rewind(in);
    char *text = malloc(*size);
    if (!text || fread(text, 1, *size, in) != *size) {
        die(path, "cannot be read");
    }
    (void)fclose(in);
    return text;
}

/* "generic/port" of ROOT/generic/port.lua */
static const char *name_of(lua_State *L, const char *root, const char *path)
{
    const char *inside = path + strlen(root) + 1;
    return lua_pushlstring(L, inside, strlen(inside) - strlen(".lua"));
}

static void embed(FILE *out, lua_State *L, const char *root, const char *path, int n)
{
    size_t size = 0;
    char *text = read_all(path, &size);
    const char *chunk = lua_pushfstring(L, "=[stdlib] %s", name_of(L, root, path));
    if (luaL_loadbufferx(L, text, size, chunk, "t") != LUA_OK) {
        die(path, lua_tostring(L, -1));
    }
    begin(out, "text", n);
    (void)write_bytes(L, text, size, out);
    (void)fprintf(out, "0};\n");
    begin(out, "code", n);
    (void)lua_dump(L, write_bytes, out, 0);
    (void)fprintf(out, "};\n");
    lua_settop(L, 0);
    free(text);
}

int main(int argc, char **argv)
{
    FILE *out = argc > 3 ? fopen(argv[1], "w") : NULL;
    lua_State *L = luaL_newstate();
    if (!out || !L) {
        die("usage", "embed OUTPUT ROOT FILE...");
    }
    (void)fprintf(out, "#include \"runner/embedded.h\"\n\n");
    for (int i = 3; i < argc; i++) {
        embed(out, L, argv[2], argv[i], i);
    }
    (void)fprintf(out, "\nconst struct rb_embedded rb_embedded[] = {\n");
    for (int i = 3; i < argc; i++) {
        (void)fprintf(out, "    {\"%s\", (const char *)text_%d, sizeof text_%d - 1, (const char *)code_%d, sizeof code_%d},\n",
                      name_of(L, argv[2], argv[i]), i, i, i, i);
        lua_settop(L, 0); /* the stack has few places, and there are many files */
    }
    (void)fprintf(out, "    {0, 0, 0, 0, 0}};\n");
    lua_close(L);
    return fclose(out) == 0 ? 0 : 1;
}
