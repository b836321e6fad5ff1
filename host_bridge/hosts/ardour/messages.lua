-- Words for a person, in a window with a button.

local messages = {}

local function show (text, kind)
	LuaDialog.Message ("ZeroStem", text, kind, LuaDialog.ButtonType.OK):run ()
end

function messages.info (text)
	show (text, LuaDialog.MessageType.Info)
end

function messages.trouble (text)
	show (text, LuaDialog.MessageType.Warning)
end

-- Runs an action's body. An error that left it would make Ardour forget the action, so none does.
function messages.guarded (body)
	local good, why = pcall (body)
	if not good then messages.trouble ("Something went wrong in the script: " .. tostring (why) .. "\nPlease report it.") end
end

return messages
