// Package oracle holds no code: its tests decide random requests under random
// policies by a plain reading of the policy language, and compare the answers
// with those of the engine and of stock OPA.
package oracle
