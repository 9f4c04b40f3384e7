// Package wiring joins the gateway with what turns YAML into bundles, for the
// two programs that serve: openshell-gateway and openshell.
package wiring
