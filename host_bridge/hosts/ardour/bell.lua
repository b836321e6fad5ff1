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
--@include ledger.lua
--@include place.lua
--@include fetch.lua
--@include say.lua
	return function ()
		say.guarded (function ()
			local _, _, said = fetch.all (job.new (json, FACTS, machine))
			if #said > 0 then say.info (table.concat (said, "\n")) end
		end)
	end
end
