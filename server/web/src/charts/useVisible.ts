import { useEffect, useState, type RefObject } from "react";

/** Begin to load a little before something scrolls into view. */
const MARGIN = "200px";

/** Whether an element is in view, or nearly; a chart that is not asks for nothing. */
export function useVisible(place: RefObject<Element | null>): boolean {
  const [visible, setVisible] = useState(false);
  useEffect(() => {
    if (!place.current) return;
    const observer = new IntersectionObserver((entries) => setVisible(entries.at(-1)?.isIntersecting ?? false), {
      rootMargin: MARGIN,
    });
    observer.observe(place.current);
    return () => observer.disconnect();
  }, [place]);
  return visible;
}
