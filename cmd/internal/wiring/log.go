package wiring

import (
	"log"
	"log/slog"
)

// OwnLog returns a gateway's own log. It also takes what net/http prints through
// the log package by itself: there it quotes what upstreams send.
func OwnLog(h slog.Handler) *slog.Logger {
	log.SetFlags(0)
	log.SetOutput(slog.NewLogLogger(h, slog.LevelDebug).Writer())
	return slog.New(h)
}
