package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/relent-go/relent/retry"
)

// The test is its own child.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "-serve" {
		main()
		return
	}
	os.Exit(m.Run())
}

func Example() {
	args := os.Args
	defer func() { os.Args = args }()
	os.Args = args[:1]
	main()
	// Output:
	// right about orders it has not seen: model 76 %, rule of thumb 61 %
	// the server is up  0.96 by logistic (full), live, age 0s, 1 attempts, degraded: false
	// the same again    0.96 by logistic (full), cached, age 0s, 0 attempts, degraded: false
	// bad input         no answer: permanent: true, attempts 1
	// killed            0.96 by logistic (full), cached, age 0s, 0 attempts, degraded: false
	// when TTL is over  0.96 by logistic (full), stale, age 2s, 2 attempts, degraded: true
	// never asked       0.25 by thumb    (rule of thumb), live, age 0s, 3 attempts, degraded: true
	//   logistic: degraded, asked for 0 % of the keys
	// when TTL is over  0.96 by logistic (full), stale, age 2s, 2 attempts, degraded: true
	// never asked       0.25 by thumb    (rule of thumb), live, age 0s, 1 attempts, degraded: true
	// when TTL is over  0.96 by logistic (full), stale, age 2s, 0 attempts, degraded: true
	// never asked       0.25 by thumb    (rule of thumb), live, age 0s, 1 attempts, degraded: true
	// left out          0.25 by thumb    (rule of thumb), live, age 0s, 1 attempts, degraded: true
	//   logistic: ramp, asked for 10 % of the keys
	//   logistic: ramp, asked for 50 % of the keys
	//   logistic: ramp, asked for 100 % of the keys
	//   logistic: normal, asked for 100 % of the keys
	// back              0.95 by logistic (full), live, age 0s, 1 attempts, degraded: false
}

func TestServeNowhere(t *testing.T) {
	args := os.Args
	defer func() {
		os.Args = args
		if recover() == nil {
			t.Error("no such address: no panic")
		}
	}()
	os.Args = []string{args[0], "-serve", "nowhere"}
	main()
}

// What main does in the child.
func TestServe(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	out, in := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		serve(ctx, "127.0.0.1:0", in)
	}()
	line := make([]byte, 100)
	r := &remote{address: strings.TrimSpace(string(line[:must(out.Read(line))]))}
	front, back := must(r.predict(ctx, order{1, 0.1, 0.5})), must(r.predict(ctx, order{4, 0.9, -0.5}))
	if front < 0.9 || back > 0.1 {
		t.Errorf("at the front %.2f, at the back %.2f; want more than .9, less than .1", front, back)
	}
	if _, err := r.predict(ctx, order{Queue: -1}); retry.DefaultClassify(err) != retry.Permanent {
		t.Errorf("bad input: %v; want a permanent error", err)
	}
	stop()
	<-done
	if _, err := r.predict(t.Context(), order{}); retry.DefaultClassify(err) != retry.Transient {
		t.Errorf("no server: %v; want a transient error", err)
	}
}

func TestServersThatAreNotWell(t *testing.T) {
	for _, test := range []struct {
		status int
		body   string
		class  retry.Class
	}{{http.StatusServiceUnavailable, "loading", retry.Transient}, {http.StatusOK, "no number", retry.Ambiguous}} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(test.status)
			io.WriteString(w, test.body)
		}))
		r := &remote{address: strings.TrimPrefix(s.URL, "http://")}
		if _, err := r.predict(t.Context(), order{}); err == nil || retry.DefaultClassify(err) != test.class {
			t.Errorf("%d %q: %v; want a %v error", test.status, test.body, err, test.class)
		}
		s.Close()
	}
}

// The model learns the rule that the data was drawn by, roughly.
func TestFit(t *testing.T) {
	train, test := load(fills)
	m := fit(train)
	for i, want := range (logistic{3.1, -0.6, -3.5, 2}) {
		if d := m[i] - want; d > 0.8 || d < -0.8 {
			t.Errorf("weight %d is %.2f; want about %.2f", i, m[i], want)
		}
	}
	if got := right(test, m.predict); got < 0.7 {
		t.Errorf("right about %.2f of the orders; want at least .7", got)
	}
	defer func() {
		if recover() == nil {
			t.Error("damaged data: no panic")
		}
	}()
	load(bytes.ReplaceAll(fills, []byte(","), []byte(";")))
}
