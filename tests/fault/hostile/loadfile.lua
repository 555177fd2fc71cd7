-- expect: error: unknown name 'loadfile'
loadfile("/etc/passwd")
