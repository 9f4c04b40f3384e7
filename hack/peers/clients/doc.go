// Package clients tests the gateway with clients as they are: grpc-go, a WebSocket
// library, Chromium, and Prometheus, whose engine evaluates our expressions over
// what it scraped. It is a module of its own, apart from hack/peers, because
// Prometheus and the OpenTelemetry collector there need different versions of one
// module; make test-peers runs both.
package clients
