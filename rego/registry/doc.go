// Package registry pushes bundles to OCI registries and pulls them, in the layout
// that OPA reads: an image manifest whose first layer of the type
// application/vnd.oci.image.layer.v1.tar+gzip is the bundle, whole.
package registry
