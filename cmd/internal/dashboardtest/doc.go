// Package dashboardtest tests the dashboard in a real browser.
//
// It needs Chromium, of Debian the packages chromium and fonts-liberation; without one its tests skip
// and say so. Pictures of the views go into the folder that the environment variable
// RELENT_SCREENSHOTS names, and nowhere when it is empty.
package dashboardtest
