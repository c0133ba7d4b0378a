// The theme searches in a worker, and browsers start none for a page that was opened as a file. There the
// same script runs in a frame of the page.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      const frame = document.createElement("iframe")
      frame.hidden = true
      frame.title = "search"
      const waiting = []
      let inside = null
      this.postMessage = data => {
        if (inside) inside.dispatchEvent(new inside.MessageEvent("message", { data }))
        else waiting.push(data)
      }
      frame.srcdoc = "<!doctype html><title>search</title>"
      frame.onload = () => {
        const its = frame.contentWindow
        its.postMessage = data => this.dispatchEvent(new MessageEvent("message", { data }))
        const script = its.document.createElement("script")
        script.src = url
        script.onload = () => {
          inside = its
          waiting.splice(0).forEach(this.postMessage)
        }
        its.document.body.append(script)
      }
      const fill = () => document.body.append(frame)
      if (document.body) fill()
      else addEventListener("DOMContentLoaded", fill)
    }
  }
}
