-- expect: error: global 'pairs' is not allowed
pairs = nil
