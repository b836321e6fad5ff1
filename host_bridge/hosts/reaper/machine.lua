-- What `job.lua` wants of a host, done by REAPER: folders, commands that nobody waits for, time and chance.

local machine = {}

local BACKGROUND = -2 -- ExecProcess: do not wait, and show no window

local function quoted (word)
	if word:find ("^[%w%-_./:\\]+$") then return word end
	return '"' .. word .. '"'
end

function machine.make_folder (path)
	reaper.RecursiveCreateDirectory (path, 0)
	return true
end

-- words: none of them holds a quotation mark; what people have typed is never among them.
function machine.run (words)
	local parts = {}
	for index, word in ipairs (words) do parts[index] = quoted (word) end
	reaper.ExecProcess (table.concat (parts, " "), BACKGROUND)
end

function machine.random ()
	return tonumber (reaper.genGuid ():match ("%x%x%x%x%x%x%x%x"), 16)
end

function machine.now ()
	return reaper.time_precise ()
end

return machine
