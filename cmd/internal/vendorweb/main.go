// Command vendorweb puts the browser libraries of the dashboard into its folder of assets, from the
// packages that npm serves. Run it at the root of the repository, and commit what changes:
//
//	go run ./cmd/internal/vendorweb
//
// It needs npm for the download only. Bare imports become relative ones, because an import map would
// be an inline script. What was taken from where, and the hash of each file, goes into the file VENDOR.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	into := flag.String("into", "dashboard/assets/vendor", "the `folder` to write")
	flag.Parse()
	if err := run(*into, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "vendorweb:", err)
		os.Exit(1)
	}
}

// run vendors the packages into a folder, from the archives if there are any, else from npm.
func run(into string, archives []string) error {
	if len(archives) == 0 {
		temp, err := os.MkdirTemp("", "vendorweb")
		if err != nil {
			return err
		}
		defer os.RemoveAll(temp)
		if err := download(temp); err != nil {
			return err
		}
		if archives, err = filepath.Glob(filepath.Join(temp, "*.tgz")); err != nil {
			return err
		}
	}
	return vendor(into, archives)
}
