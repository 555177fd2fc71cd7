-- expect: error: global 'check' is not allowed
function check() end
