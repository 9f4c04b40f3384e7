package openshell.extension.uploads_test

import data.openshell.extension.uploads

codes(method, size) := {d.code |
	some d in uploads.deny with input as {"kind": "network", "network": {"method": method, "content_length": size}}
}

test_sizes[note] if {
	some note, case in {
		"none": {"method": "POST", "size": 0, "codes": set()},
		"the most": {"method": "PUT", "size": 10485760, "codes": set()},
		"one more": {"method": "PUT", "size": 10485761, "codes": {"too_large"}},
		"unknown": {"method": "POST", "size": -1, "codes": {"unknown_size"}},
		"unknown, but none can be": {"method": "GET", "size": -1, "codes": set()},
		"a GET with a large body": {"method": "GET", "size": 99999999, "codes": {"too_large"}},
	}
	codes(case.method, case.size) == case.codes
}

test_files_are_not_uploads if {
	count(uploads.deny) == 0 with input as {"kind": "file", "file": {"op": "write"}}
}
