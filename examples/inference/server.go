package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"

	"github.com/relent-go/relent/retry"
)

// serve trains the model, and answers with it until ctx ends.
func serve(ctx context.Context, address string, out io.Writer) {
	train, _ := load(fills)
	m := fit(train)
	listener := must(net.Listen("tcp", address))
	context.AfterFunc(ctx, func() { listener.Close() })
	fmt.Fprintln(out, listener.Addr())
	http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var o order
		if err := json.NewDecoder(r.Body).Decode(&o); err != nil || o.Queue < 0 || o.Queue > 1 {
			http.Error(w, "want an order whose Queue is from 0 to 1", http.StatusBadRequest)
			return
		}
		json.NewEncoder(w).Encode(m.predict(o))
	}))
}

// A remote model is the server in a process of its own.
type remote struct {
	address string // "127.0.0.1:0" before the first start
	child   *exec.Cmd
}

// start begins the process, and returns when it answers.
func (r *remote) start() {
	r.child = exec.Command(must(os.Executable()), "-serve", r.address)
	r.child.Stderr = os.Stderr
	out := must(r.child.StdoutPipe())
	must(0, r.child.Start())
	r.address = strings.TrimSpace(must(bufio.NewReader(out).ReadString('\n')))
}

func (r *remote) kill() {
	r.child.Process.Kill()
	r.child.Wait() // its death was wanted
}

// predict asks the server. It says which errors mean that the server did nothing: a refused connection is known to be one.
func (r *remote) predict(ctx context.Context, o order) (float64, error) {
	body := must(json.Marshal(o))
	request := must(http.NewRequestWithContext(ctx, http.MethodPost, "http://"+r.address, bytes.NewReader(body)))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK:
		var p float64
		err := json.NewDecoder(response.Body).Decode(&p)
		return p, err
	case http.StatusBadRequest:
		return 0, retry.Mark(errors.New("the model says: bad input"), retry.Permanent)
	}
	return 0, retry.Mark(errors.New(response.Status), retry.Transient)
}
