// The theme's search is a dialog without a name, which a screen reader would say.
document.querySelector(".md-search")?.setAttribute("aria-label", "Search")

// A table that is wider than the window scrolls in a box that the theme puts around it. Who has no mouse has to
// get there by Tab, and who sees no page has to be told what it is: as the theme does it for long lines of code.
const article = document.querySelector("article")

function heading(box) {
  const all = [...article.querySelectorAll("h1, h2, h3, h4, h5, h6")]
  const above = all.filter(one => box.compareDocumentPosition(one) & Node.DOCUMENT_POSITION_PRECEDING)
  return above.at(-1)?.firstChild?.textContent.trim() ?? document.title
}

function nameBoxes() {
  const seen = new Map()
  for (const box of article.querySelectorAll(".md-typeset__scrollwrap")) {
    const below = heading(box)
    const count = (seen.get(below) ?? 0) + 1
    seen.set(below, count)
    if (box.scrollWidth > box.clientWidth) {
      box.tabIndex = 0
      box.setAttribute("role", "region")
      box.setAttribute("aria-label", count > 1 ? `Table ${count}: ${below}` : `Table: ${below}`)
    } else {
      for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name)
    }
  }
}

if (article) {
  new MutationObserver(nameBoxes).observe(article, { childList: true, subtree: true })
  new ResizeObserver(nameBoxes).observe(article)
}
