// Training shows work that survives kill -9. A small model is trained in a process of its own, which is killed half way; the
// next process goes on at the last checkpoint, and ends with the same model, to the last bit, as if nothing had happened.
//
//	go run ./examples/training
package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

func main() {
	path := flag.String("work", "", "train in this process, with the checkpoint in this file")
	flag.Parse()
	if *path != "" {
		fmt.Println("model", work(*path, time.Millisecond/2))
		return
	}
	dir := must(os.MkdirTemp("", "training"))
	defer os.RemoveAll(dir)
	_, last, _ := run(filepath.Join(dir, "killed"), steps/2+interval/3)
	fmt.Println("killed with SIGKILL after step", last)
	first, _, resumed := run(filepath.Join(dir, "killed"), 0)
	fmt.Println("a new process went on at step", first)
	fmt.Println("at most a checkpoint's interval was done again:", last-first < interval)
	_, _, whole := run(filepath.Join(dir, "whole"), 0)
	fmt.Println("the same model as without the kill:", resumed == whole)
}

// run trains in a child process, which it kills after a step; 0 lets it come to its end. It returns the steps seen, and the
// model.
func run(path string, kill int) (first, last int, model string) {
	child := exec.Command(must(os.Executable()), "-work", path)
	child.Stderr = os.Stderr
	out := must(child.StdoutPipe())
	must(0, child.Start())
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if n, _ := fmt.Sscanf(lines.Text(), "step %d", &last); n == 0 {
			model = lines.Text()
		}
		if first == 0 {
			first = last
		}
		if last == kill && kill > 0 {
			child.Process.Kill()
		}
	}
	child.Wait() // its death is in what it did not say
	return first, last, model
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
