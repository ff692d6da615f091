// Package simulate plays the experiments of package sim for the command relent simulate: retry storms under
// several policies, and the contest of the jitters. It runs them on all processors, and writes tables, JSON and pictures.
package simulate
