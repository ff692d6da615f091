// Package policy is what "relent policy" prints: what is wrong with files, what a policy of one does, and how two
// files differ.
package policy
