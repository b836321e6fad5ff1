-- What a person's hands and eyes would do in Ardour, as an action of the user's own: runs the Lua text in `asked.lua` beside
-- the session and writes what it returns to `answered.txt`.
ardour { ["type"] = "EditorAction", name = "Hands" }

function factory ()
	return function ()
		local place = Session:path () .. "/"
		local file = io.open (place .. "asked.lua", "rb")
		local text = file:read ("a")
		file:close ()
		local good, told = pcall (function ()
			return assert (load (text, "asked", "t", setmetatable ({ Session = Session, Editor = Editor }, { __index = _ENV }))) ()
		end)
		file = io.open (place .. "answered.new", "wb")
		file:write (good and "ok\n" or "error\n", tostring (told))
		file:close ()
		os.rename (place .. "answered.new", place .. "answered.txt")
	end
end
