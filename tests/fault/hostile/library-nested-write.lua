-- expect: error: read-only
lib.inner.value = 2
