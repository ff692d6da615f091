//go:build unix

package rerun

import (
	"io"
	"os"
)

// spoolMemory is how much of a spool stays in memory.
const spoolMemory = 1 << 20

// A spool keeps bytes: the first 1 MiB in memory, the rest in a temporary file that has no name, so that
// nothing is left behind however the program ends. The zero value is empty and ready.
type spool struct {
	memory []byte
	file   *os.File // nil until memory is full
	size   int64
}

// Write appends p. If it fails, the spool holds what it held before, and maybe a beginning of p.
func (s *spool) Write(p []byte) (n int, err error) {
	if room := spoolMemory - len(s.memory); room > 0 {
		n = min(room, len(p))
		s.memory = append(s.memory, p[:n]...)
		s.size += int64(n)
	}
	if n == len(p) {
		return n, nil
	}
	if s.file == nil {
		if s.file, err = unnamedFile(); err != nil {
			return n, err
		}
	}
	m, err := s.file.WriteAt(p[n:], s.size-spoolMemory)
	s.size += int64(m)
	return n + m, err
}

// ReadAt implements [io.ReaderAt].
func (s *spool) ReadAt(p []byte, off int64) (n int, err error) {
	if off < int64(len(s.memory)) {
		n = copy(p, s.memory[off:])
	}
	if n < len(p) && s.file != nil {
		m, err := s.file.ReadAt(p[n:], off+int64(n)-spoolMemory)
		return n + m, err
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// WriteTo writes all of it to w.
func (s *spool) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, io.NewSectionReader(s, 0, s.size))
}

// Close frees everything; the spool is empty and ready again.
func (s *spool) Close() error {
	file := s.file
	*s = spool{}
	if file == nil {
		return nil
	}
	return file.Close()
}

func unnamedFile() (*os.File, error) {
	f, err := os.CreateTemp("", "relent-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
