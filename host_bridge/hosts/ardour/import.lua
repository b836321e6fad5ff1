ardour {
	["type"] = "EditorAction", name = "ZeroStem: import finished stems", author = "ZeroStem", license = "MIT",
	description = [[Brings in the stems of this session's finished jobs, each as a new track below its source.]],
}

function factory ()
--@include json.lua
--@include job.lua
--@facts
FACTS.host = "ardour"
--@include machine.lua
--@include pending_jobs.lua
--@include import_stems.lua
--@include collect.lua
--@include messages.lua
	return function ()
		messages.guarded (function ()
			local ended, waiting, said = collect.all (job.new (json, FACTS, machine))
			if #said > 0 then return messages.info (table.concat (said, "\n")) end
			if ended > 0 then return end
			messages.info (waiting > 0 and "The stems are not ready yet. They come in by themselves where OSC is enabled."
				or "There are no new stems. Separate a region first.")
		end)
	end
end
