package operate

import (
	"cmp"
	"net"
	"os"
	"os/user"
	"time"

	"github.com/spf13/cobra"

	"github.com/relent-go/relent/cmd/internal/config"
)

// The server that is asked when nobody names one.
const defaultServer = "http://127.0.0.1:8470"

// Sources of a setting that are neither a flag nor an environment variable.
const (
	byDefault = "default"
	byFile    = "configuration"
)

// A setting is a value, and where it comes from.
type setting struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Source string `json:"source"` // a flag, an environment variable, "configuration" or "default"
}

// settings reads each value where it is first found.
type settings struct {
	program Program
	cmd     *cobra.Command
}

// said is what a flag or the environment says.
func (s settings) said(name, variable string) (setting, bool) {
	if text, given := given(s.cmd, name); given {
		return setting{name, text, "--" + name}, true
	}
	if text := os.Getenv(variable); text != "" && variable != "" {
		return setting{name, text, variable}, true
	}
	return setting{name, "", byDefault}, false
}

// server finds the server. The configuration names it by the address on which it listens.
func (s settings) server() (setting, error) {
	if v, ok := s.said("server", "RELENT_SERVER"); ok {
		return v, nil
	}
	file, _, _, err := s.program.Config(s.cmd)
	if err != nil {
		return setting{}, err
	}
	if file != nil && file.Server != nil && file.Server.Listen != "" {
		return setting{"server", "http://" + reachable(file.Server.Listen), byFile}, nil
	}
	return setting{"server", defaultServer, byDefault}, nil
}

// reachable turns an address to listen on into one to dial.
func reachable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

func (s settings) tokenFile() setting {
	v, _ := s.said("token-file", "RELENT_TOKEN_FILE")
	return v
}

func (s settings) timeout() (time.Duration, setting) {
	text, given := given(s.cmd, "timeout")
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		d = DefaultTimeout
	}
	v := setting{"timeout", d.String(), byDefault}
	if given {
		v.Source = "--timeout"
	}
	return d, v
}

// store finds the database: a flag, else that of relent serve.
func (s settings) store() (setting, error) {
	if v, ok := s.said("store", "RELENT_STORE"); ok {
		return v, nil
	}
	file, _, _, err := s.program.Config(s.cmd)
	if err != nil {
		return setting{}, err
	}
	if file != nil && file.Server != nil && file.Server.Store != "" {
		return setting{"store", file.Server.Store, byFile}, nil
	}
	return setting{"store", "", byDefault}, nil
}

// trigger finds the file that stops without a server.
func (s settings) trigger(file *config.File) setting {
	if v, ok := s.said("file", ""); ok {
		return v
	}
	if file != nil && file.Halt != nil && file.Halt.TriggerFile != "" {
		return setting{"trigger_file", file.Halt.TriggerFile, byFile}
	}
	return setting{"trigger_file", "", byDefault}
}

// actor is who asks: what a server that knows no tokens believes.
func actor() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return cmp.Or(os.Getenv("USER"), "unknown")
}
