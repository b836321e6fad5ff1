-- Where ZeroStem usually lies, for a script that came without its installer (ReaPack), as paths.py and the installers say.
-- The value is a function (system, getenv): "windows", "mac" or "linux", found out where it is not said.

return function (system, getenv)
	getenv = getenv or os.getenv
	if not system then
		local mac = io.open ("/System/Library/CoreServices/SystemVersion.plist", "rb")
		if mac then mac:close () end
		system = package.config:sub (1, 1) == "\\" and "windows" or mac and "mac" or "linux"
	end
	local home = getenv ("HOME") or getenv ("USERPROFILE") or ""

	local function below (variable, usual)
		local told = getenv (variable)
		return told and told ~= "" and told or usual
	end

	local facts = {}
	if system == "windows" then
		local settings = below ("LOCALAPPDATA", home .. "\\AppData\\Local")
		facts.command = { settings .. "\\Microsoft\\WindowsApps\\zerostem.cmd" }
		facts.spool, facts.engine_file = settings .. "\\zerostem\\spool", settings .. "\\Temp\\zerostem\\engine.json"
	elseif system == "mac" then
		facts.command = { home .. "/.local/bin/zerostem" }
		facts.spool = home .. "/Library/Application Support/zerostem/spool"
		facts.engine_file = home .. "/Library/Caches/TemporaryItems/zerostem/engine.json"
	else
		facts.command = { home .. "/.local/bin/zerostem" }
		facts.spool = below ("XDG_DATA_HOME", home .. "/.local/share") .. "/zerostem/spool"
		facts.engine_file = below ("XDG_RUNTIME_DIR", "") .. "/zerostem/engine.json"
	end
	local ours = below ("ZEROSTEM_HOME", nil)
	if ours then facts.spool, facts.engine_file = ours .. "/spool", ours .. "/engine.json" end
	return facts
end
