-- Where a script that no installer has told looks for ZeroStem.

local t = ...
local default_paths = t.module ("default_paths")

local function asked (system, variables)
	return default_paths (system, function (name) return variables[name] end)
end

t.test ("on Linux the folders are those of the user, or as the variables say", function ()
	t.same (asked ("linux", { HOME = "/me", XDG_RUNTIME_DIR = "/run/me" }), { command = { "/me/.local/bin/zerostem" },
		spool = "/me/.local/share/zerostem/spool", engine_file = "/run/me/zerostem/engine.json" })
	t.same (asked ("linux", { HOME = "/me", XDG_DATA_HOME = "/data" }).spool, "/data/zerostem/spool")
end)

t.test ("a home of its own counts first on every system", function ()
	for _, system in ipairs ({ "linux", "mac", "windows" }) do
		local facts = asked (system, { HOME = "/me", LOCALAPPDATA = "C:", ZEROSTEM_HOME = "/ours" })
		t.same ({ facts.spool, facts.engine_file }, { "/ours/spool", "/ours/engine.json" })
	end
end)

t.test ("on Windows it is the folder of the account", function ()
	t.same (asked ("windows", { LOCALAPPDATA = "C:\\me" }).spool, "C:\\me\\zerostem\\spool")
end)
