-- Waiting for jobs in a window that shows how far they are, for those who would rather watch than be told later.

local wait = {}

local LOOK_US = 100000

-- Whether all jobs shall be stopped; whoever says no lets them go on without a window.
local function stop_them ()
	local answer = LuaDialog.Message ("ZeroStem", "Stop separating? No lets it go on in the background.",
		LuaDialog.MessageType.Question, LuaDialog.ButtonType.Yes_No):run ()
	return answer == LuaDialog.Response.Yes
end

-- How far all of them are together, and what to say of the first that has not ended; nil when all have.
local function stand (jobs, ids)
	local done, said = 0, nil
	for _, id in ipairs (ids) do
		local look = jobs.look (id)
		local ended = not look or look.ended
		done = done + (ended and 1000 or look.permille)
		if not ended then said = said or look.said end
	end
	return done / 1000 / #ids, said
end

-- Until all have ended and their stems are in, or the person has waited long enough.
function wait.until_ended (jobs, ids)
	local window = LuaDialog.ProgressWindow ("ZeroStem", true)
	local share, said = stand (jobs, ids)
	while said and not window:canceled () do
		window:progress (share, said)
		ARDOUR.LuaAPI.usleep (LOOK_US)
		share, said = stand (jobs, ids)
	end
	local left = window:canceled ()
	window:done ()
	if left and said then
		if stop_them () then
			for _, id in ipairs (ids) do jobs.cancel (id) end
		end
		return
	end
	local _, _, trouble = collect.all (jobs)
	if #trouble > 0 then messages.info (table.concat (trouble, "\n")) end
end

return wait
