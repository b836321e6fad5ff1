ardour {
	["type"] = "EditorAction", name = "ZeroStem: bell", author = "ZeroStem", license = "MIT",
	description = [[What ZeroStem rings when a job is done: brings in its stems. Speaks up only if something went wrong.]],
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
			local _, _, said = collect.all (job.new (json, FACTS, machine))
			if #said > 0 then messages.info (table.concat (said, "\n")) end
		end)
	end
end
