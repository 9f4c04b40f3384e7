package shim

var handlersOld map[int]func(*call)
