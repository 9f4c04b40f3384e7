package lint

// policyChecks lists what is looked for in a policy. Each code is documented in
// package diag.
func policyChecks() []policyCheck {
	return []policyCheck{
		{"OSP2101", redundant},
		{"OSP2102", overriddenRules},
		{"OSP2103", vacuous},
		{"OSP2104", denyNothing},
		{"OSP2105", redundantEntries},
		{"OSP2106", redundantFiles},
		{"OSP2107", deadFiles},
		{"OSP2108", redundantCommands},
		{"OSP2109", neverRuns},
		{"OSP2110", blocksNothing},
		{"OSP2111", deadExtends},
		{"OSP2112", looser},
		{"OSP2113", libraryNames},
		{"OSP2114", untested},
		{"OSP2201", pathSlips},
		{"OSP2202", blanks},
		{"OSP2203", directories},
		{"OSP2204", bareCommands},
		{"OSP2205", shallow},
		{"OSP2206", encodedSlashes},
		{"OSP2207", fragments},
		{"OSP2208", links},
		{"OSP2209", unusualMethods},
		{"OSP2210", slashEnds},
		{"OSP2211", strangePorts},
		{"OSP3001", privateSuffix},
		{"OSP3002", buckets},
		{"OSP3003", deepHosts},
		{"OSP3004", auditMode},
		{"OSP3005", plainHTTP},
		{"OSP3006", defaultHTTP},
		{"OSP3007", anyRequest},
		{"OSP3008", wideWrites},
		{"OSP3009", wideRanges},
		{"OSP3010", passthroughCredentials},
		{"OSP3011", passthrough},
		{"OSP3012", privateOnPublic},
		{"OSP3013", publishing},
		{"OSP3014", exfiltration},
		{"OSP3015", literals},
		{"OSP3016", pushDiscovery},
		{"OSP3017", webSockets},
		{"OSP3018", writableBinaries},
		{"OSP3019", telemetry},
		{"OSP3020", wideDeletes},
		{"OSP3101", sensitiveAllowed},
		{"OSP3102", writableExecutables},
		{"OSP3103", writableSystem},
		{"OSP3104", readsEverything},
		{"OSP3105", startup},
		{"OSP3201", interpreters},
		{"OSP3202", guardRail},
		{"OSP3203", privileged},
		{"OSP3204", writablePrograms},
		{"OSP3205", writableScripts},
		{"OSP4001", trapped},
		{"OSP4002", foreignPorts},
		{"OSP4003", neverDialled},
		{"OSP4004", privateHosts},
		{"OSP4005", notHTTP},
		{"OSP4006", linkedBinaries},
		{"OSP4007", blocksPrograms},
		{"OSP4008", blocksProgramFiles},
		{"OSP4009", lacksCoreutils},
		{"OSP4010", nothingReadable},
		{"OSP4011", nothingWritable},
		{"OSP4101", serviceLacks},
		{"OSP4102", cloneLacks},
		{"OSP4103", featureLacks},
		{"OSP4104", servicePlain},
		{"OSP4105", clients},
		{"OSP4106", scopedNames},
		{"OSP4107", shortWildcards},
	}
}

// testChecks lists what is looked for in a test.
func testChecks() []testCheck {
	return []testCheck{
		{"OSP2115", unknownRules},
		{"OSP2116", cannotAsk},
	}
}

// CheckCodes lists the codes that are looked for in policies and tests.
func CheckCodes() []string {
	var out []string
	for _, c := range policyChecks() {
		out = append(out, c.code)
	}
	for _, c := range testChecks() {
		out = append(out, c.code)
	}
	return out
}
