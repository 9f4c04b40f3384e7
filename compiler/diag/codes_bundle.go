package diag

// bundleCodes are given by who takes bundles: the gateway, `bundle verify` and
// `inspect`; see package rego/archive. No policy text triggers them.
var bundleCodes = []CodeInfo{
	{Code: "OSP5001", Severity: Error, Part: PartBundle, Title: "not a whole bundle", Why: "The bytes are no gzipped tar, end too early, or something follows their end. A bundle that was cut off must not be taken for a smaller one.", Fix: "Fetch it again, or compile it again."},
	{Code: "OSP5002", Severity: Error, Part: PartBundle, Title: "bundle too large", Why: "Packed, unpacked or in the number of its files it is beyond what is read: 32 MiB packed, 256 MiB unpacked, 20,000 files.", Fix: "Split the policies into several bundles."},
	{Code: "OSP5003", Severity: Error, Part: PartBundle, Title: "entry refused", Why: "An entry has a name that leads out of the bundle or that is not clean, stands there twice, is a link, or is of a kind that no bundle of policies holds (a delta, WebAssembly, other data).", Fix: "Build the bundle with openshell-policy compile."},
	{Code: "OSP5004", Severity: Error, Part: PartBundle, Title: "manifest refused", Why: "The manifest is missing or is not one of ours: its roots, Rego version or format are others, and it could own more of the data than policies need.", Fix: "Build the bundle with openshell-policy compile, of the same release as the gateway."},
	{Code: "OSP5005", Severity: Error, Part: PartBundle, Title: "unsigned bundle", Why: "Whoever can write to the server could write the policies.", Fix: "openshell-policy compile --sign --key FILE, or openshell-policy bundle sign. A gateway takes unsigned bundles only with insecure_unsigned: true."},
	{Code: "OSP5006", Severity: Error, Part: PartBundle, Title: "signature not trusted", Why: "No key that is trusted made the signature.", Fix: "Add the signer's public key to bundle.keys, or sign with a key that is trusted."},
	{Code: "OSP5007", Severity: Error, Part: PartBundle, Title: "content differs from what was signed", Why: "A file was changed, added or removed after the bundle was signed.", Fix: "Fetch the bundle again; if it stays so, somebody changed it."},
	{Code: "OSP5008", Severity: Error, Part: PartBundle, Title: "older than what was in force", Why: "A serial lower than one that was in force: an old bundle, still rightly signed, could bring back what was since forbidden.", Fix: "An intended rollback is a new bundle of the old policies with a higher --serial."},
	{Code: "OSP5009", Severity: Error, Part: PartBundle, Title: "bundle expired", Why: "Its --expires has passed.", Fix: "Compile it again with a later --expires."},
	{Code: "OSP5010", Severity: Error, Part: PartBundle, Title: "another bundle", Why: "Its name is not the one that was asked for: a bundle of another team, rightly signed, is not this one.", Fix: "Compile it with --name, or correct bundle.name."},
	{Code: "OSP5011", Severity: Error, Part: PartBundle, Title: "content refused", Why: "Modules or data are not what the compiler writes, or do not compile with the built-ins that decisions may use.", Fix: "Build the bundle with openshell-policy compile."},
	{Code: "OSP5012", Severity: Error, Part: PartBundle, Title: "source not reached", Why: "The server or registry that bundles come from does not answer as one. What is in force stays in force.", Fix: "Check the address, the credentials and the network."},
	{Code: "OSP5013", Severity: Error, Part: PartBundle, Title: "no bundle there", Why: "What the registry has under this name holds no layer of the type that OPA reads as a bundle.", Fix: "Push it with openshell-policy bundle push."},
}
