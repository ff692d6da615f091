package operate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/transport/retryhttp"
)

// mostAnswer is how much of an answer is read.
const mostAnswer = 64 << 20

// A client asks one server.
type client struct {
	base    string // without a slash at the end
	token   string
	actor   string
	timeout time.Duration // of a request, retries included
	http    *http.Client
}

// connect makes a client of what the command line, the environment and the configuration say. It asks nothing yet.
func (s settings) connect() (*client, error) {
	server, err := s.server()
	if err != nil {
		return nil, err
	}
	return s.client(server)
}

func (s settings) client(server setting) (*client, error) {
	u, err := url.Parse(server.Value)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" {
		return nil, usage(s.cmd, fmt.Errorf("%s: %.200q is not the URL of a server, such as %s", server.Source, server.Value, defaultServer))
	}
	c := &client{base: strings.TrimRight(server.Value, "/"), actor: actor()}
	c.timeout, _ = s.timeout()
	if file := s.tokenFile(); file.Value != "" {
		if c.token, err = readToken(file.Value); err != nil {
			return nil, failed(s.cmd, fmt.Errorf("%s: %w", file.Source, err), "relent token NAME operator > FILE")
		}
	}
	c.http = &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // a token stays with whom it is for
		Transport: &retryhttp.Transport{Policy: &retry.Policy{
			Name: "server.request", MaxElapsed: c.timeout, Backoff: backoff.Exponential{Base: 50 * time.Millisecond, Max: time.Second},
		}},
	}
	return c, nil
}

// readToken reads the token of a file: its one line.
func readToken(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, 4<<10))
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(data))
	if token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fmt.Errorf("%s holds no token: want one line, without spaces", name)
	}
	return token, nil
}

// A refusal is a server's answer that is not what was asked for.
type refusal struct {
	status    int
	why       string
	anonymous bool // no token was sent
}

func (r *refusal) Error() string { return r.why }

// get asks for something.
func (c *client) get(ctx context.Context, path string, out any) error {
	return c.ask(ctx, "GET", path, "", nil, out)
}

// ask sends a request and reads its answer. With a key the request may be sent again.
func (c *client) ask(ctx context.Context, method, path, key string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(data)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return err
	}
	r.Header.Set("Accept", "application/json")
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	r.Header.Set("Relent-Source", "cli")
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	} else {
		r.Header.Set("Relent-Actor", c.actor)
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return fmt.Errorf("%s: %w", c.base, plainly(err, c.timeout))
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, mostAnswer))
	if err != nil {
		return fmt.Errorf("%s: the answer ends early: %w", c.base, err)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return &refusal{resp.StatusCode, c.refused(resp, data), c.token == ""}
	}
	if err := json.Unmarshal(data, out); err != nil {
		return fmt.Errorf("%s: this does not look like relent: the answer to %s is not its JSON: %w", c.base, path, err)
	}
	return nil
}

// refused is why a server says no.
func (c *client) refused(resp *http.Response, data []byte) string {
	var answer struct{ Error string }
	if json.Unmarshal(data, &answer) == nil && answer.Error != "" {
		return fmt.Sprintf("%s: %s", c.base, plain(answer.Error))
	}
	if to := resp.Header.Get("Location"); to != "" {
		return fmt.Sprintf("%s answers %s and points to %s: name that server, if you trust it", c.base, resp.Status, plain(to))
	}
	return fmt.Sprintf("%s answers %s", c.base, resp.Status)
}

// errAbsent is the error of a server that does not listen.
var errAbsent = errors.New("no server answers there")

// plainly shortens what net/http says.
func plainly(err error, timeout time.Duration) error {
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Op == "dial" {
		return fmt.Errorf("%w: %w", errAbsent, e.Err)
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %v", timeout)
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// next is what may help after an error of a server.
func next(err error, otherwise string) string {
	r, ok := errors.AsType[*refusal](err)
	switch {
	case !ok:
		return "relent doctor"
	case r.status == http.StatusUnauthorized, r.status == http.StatusForbidden && r.anonymous:
		return "the same with --token-file FILE, which holds a token that the server knows (relent token makes one)"
	case r.status == http.StatusForbidden:
		return "the same with the --token-file of somebody who may"
	}
	return otherwise
}
