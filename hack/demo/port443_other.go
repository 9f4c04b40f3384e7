//go:build !linux

package main

import "context"

// withPort443 runs the demo, which needs root where that owns port 443.
func withPort443(ctx context.Context, demo func(context.Context) error) (status int, err error) {
	return 0, demo(ctx)
}
