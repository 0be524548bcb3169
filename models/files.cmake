# Stock models, by hand, relative to this folder: user.lua is the module hysteria.models.user.
set(HY_MODEL_FILES
    increment.lua
    soft_deletable.lua
    timestamped.lua
    ulid.lua
    user.lua
    uuid.lua)
