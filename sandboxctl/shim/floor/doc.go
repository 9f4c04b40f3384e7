// Package floor says what Landlock can enforce of a policy. It is pure: it turns
// globs into grants on paths, and grants into the rights of one version of
// Landlock. A grant that is missing denies.
package floor
