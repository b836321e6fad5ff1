-- What luacheck is to know of our Lua: 5.3's library, and what each host puts beside it.
std = "lua53"
max_line_length = 128
-- Its modules are put into it first: what is installed is checked as a whole, by a test.
exclude_files = { "host_bridge/hosts/reaper/main.lua" }
files["host_bridge/hosts/reaper"] = { read_globals = { "reaper" }, globals = { "gfx" } }
files["tests/lua"] = { globals = { "reaper", "gfx" } }
