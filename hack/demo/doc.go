// Demo shows the whole chain on one machine and without a network: real curl,
// git, npm and Python run in sandboxes, their requests go through the gateway to
// an origin on loopback that plays api.github.com, github.com, pypi.org,
// registry.npmjs.org and an internal host, and the policies of policies/ decide.
//
// Every decision is compared with what the policy's author expects, and every
// request that reached the origin with what was allowed. The first difference is
// printed, and the exit status is 1.
package main
