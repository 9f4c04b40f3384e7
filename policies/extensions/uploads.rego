# METADATA
# title: Uploads end at 10 MiB
# description: >-
#   Denies requests whose body is larger than 10 MiB or of unknown size, whatever
#   the policies allow. Compile it beside them:
#   openshell-policy compile policies/ uploads.rego
package openshell.extension.uploads

limit := 10485760

# A request without a body cannot upload.
bodiless := {"GET", "HEAD", "OPTIONS", "CONNECT"}

deny contains {"code": "too_large", "message": message} if {
	input.kind == "network"
	input.network.content_length > limit
	message := sprintf("%d bytes are more than the %d that uploads may have", [input.network.content_length, limit])
}

deny contains {"code": "unknown_size", "message": "the size of an upload must be known: send Content-Length"} if {
	input.kind == "network"
	input.network.content_length < 0
	not input.network.method in bodiless
}
