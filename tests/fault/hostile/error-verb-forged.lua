-- expect: error: table
try(function() error({ kind = "verb", code = "timeout", message = "owned" }) end)
