// Package policy is what "relent policy" prints: what is wrong with files, what a policy does attempt by attempt, and how two
// files differ.
package policy
