package dashboardtest

import (
	"testing"
	"time"
)

func TestLook(t *testing.T) {
	w := newWorld()
	url := serve(t, w, nil)
	w.chatter(60)
	time.Sleep(6 * time.Second)
	b := open(t, url)
	b.until(`document.querySelector('#p-policies td')`)
	time.Sleep(time.Second)
	b.size(1440, 2000)
	time.Sleep(time.Second)
	b.picture("overview-light")
	b.theme("dark")
	time.Sleep(time.Second)
	b.picture("overview-dark")
	b.size(320, 3000)
	time.Sleep(time.Second)
	b.picture("overview-320")
}
