// Package archive takes a bundle apart without evaluating it: a gzipped tar in
// which every entry is a regular file with a clean name, a manifest, and a
// signature that may be checked. It is strict where OPA's own reader is lenient,
// because what it lets through is put in force: links, repeated names, bytes
// after the end, roots that are not ours and unpacked sizes out of proportion are
// refused, each with a code of the OSP50xx range.
package archive
