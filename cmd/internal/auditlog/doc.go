// Package auditlog reads audit logs for people and scripts: it lists, follows, exports and verifies them, whether somebody
// writes them at the moment or not.
package auditlog
