/* The names of blocks for Lua, from the one table. */
#include <string.h>

#include "runner/internal.h"
#include "runner/language.h"

/* block_names("runbook" | "config"): those that such files may hold; a runbook's also stand in its drills and profiles.
 */
static int l_block_names(lua_State *L)
{
    static const char *const kinds[] = {"runbook", "config", NULL};
    unsigned place = luaL_checkoption(L, 1, NULL, kinds) == 0 ? RB_IN_RUNBOOK : RB_IN_CONFIG;
    lua_Integer n = 0;
    lua_newtable(L);
    for (const struct rb_block *block = rb_blocks; block->name; block++) {
        if (block->places & place) {
            lua_pushstring(L, block->name);
            lua_rawseti(L, -2, ++n);
        }
    }
    return 1;
}

const luaL_Reg rb_rt_blocks[] = {{"block_names", l_block_names}, {NULL, NULL}};
