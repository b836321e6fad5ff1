-- The actions in the strict REAPER, as they are installed: from a selection to tracks.

local t = ...
local ITEM = [[
	local track = stage.track ("Guitar")
	local item = stage.item (track, { file = FILE, position = 1.5, length = 2, take = { D_STARTOFFS = 0.25 } })
	stage.select (item)
]]
local ASK = [[ stage.answer ("drums, bass\n\n100\nn\nn\nn") stage.run ("separate") ]]
local DONE = [[ for _, id in ipairs (stage.daemon.ids ()) do stage.daemon.finish (id) end stage.pass (5) ]]

local function names (seen)
	local found = {}
	for index, track in ipairs (seen.tracks) do found[index] = track.name end
	return found
end

t.test ("stems come right below their track, at its very place, in one undo step", function ()
	local seen = t.play ([[ stage.track ("Before") ]] .. ITEM .. [[ stage.track ("After") ]] .. ASK .. DONE)
	t.same (names (seen), { "Before", "Guitar", "drums", "bass", "rest", "After" })
	for index = 3, 5 do
		local values = seen.tracks[index].items[1].values
		t.same ({ values.D_POSITION, values.D_LENGTH }, { 1.5, 2 })
	end
	t.same (seen.undo, { "ZeroStem: separate by prompt" })
	t.same ({ #seen.messages, seen.running }, { 0, 0 })
end)

t.test ("undo takes all of it back", function ()
	t.same (names ((t.play (ITEM .. ASK .. DONE .. "R.Undo_DoUndo2 (0)"))), { "Guitar" })
end)

t.test ("a plain item is named by its samples, and the daemon is told of the job", function ()
	local seen, folder = t.play (ITEM .. ASK)
	local file = assert (io.open (folder .. "/home" .. "/spool/" .. seen.jobs[1] .. "/request.json", "rb"))
	local request = assert (t.module ("json").decode (file:read ("a")))
	file:close ()
	t.same ({ request.source[1].path, request.source[1].start, request.source[2].channel }, { folder .. "/song.wav", 2000, 1 })
	t.same (seen.executed, { folder .. "/zerostem ring " .. seen.jobs[1] })
end)

t.test ("nothing selected is said in a message, and no job is made", function ()
	local seen = t.play (ASK)
	t.same (#seen.jobs, 0)
	t.same (#seen.messages, 1)
end)
