import { Menu } from "@base-ui/react/menu";
import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "react-router";
import { api, type Session } from "../api.ts";
import { useAnnounce } from "../components/Announcer.tsx";
import { isSignedOut } from "../faults.ts";
import { useAction } from "../useAction.ts";
import styles from "./Menu.module.css";
import { tellOtherTabs } from "./session-news.ts";
import { THEMES, useTheme } from "./theme.ts";

/** Who is logged in, how the page looks, and the way out. */
export function AccountMenu({ session }: { readonly session: Session }) {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const announce = useAnnounce();
  const [theme, setTheme] = useTheme();
  const left = async () => {
    await navigate("/login");
    queries.clear();
    tellOtherTabs("out");
  };
  const logOut = useAction({
    mutationFn: () => api.closeSession({}),
    onSuccess: left,
    // The browser still has the cookie: whoever leaves now would leave it to the next.
    onError: async (error) => (isSignedOut(error) ? left() : announce("You are still logged in: the engine did not answer. Try again.")),
  });
  return (
    <Menu.Root>
      <Menu.Trigger className={styles.trigger}>
        <span className={styles.who}>{session.actor}</span> <span aria-hidden="true">▾</span>
      </Menu.Trigger>
      <Menu.Portal>
        <Menu.Positioner sideOffset={6} align="end" className={styles.positioner}>
          <Menu.Popup className={styles.popup}>
            <Menu.RadioGroup value={theme} onValueChange={setTheme} className={styles.group}>
              {THEMES.map(({ value, text }) => (
                <Menu.RadioItem key={value} value={value} className={styles.item} closeOnClick>
                  <Menu.RadioItemIndicator className={styles.tick}>✓</Menu.RadioItemIndicator>
                  {text}
                </Menu.RadioItem>
              ))}
            </Menu.RadioGroup>
            <Menu.Separator className={styles.separator} />
            <Menu.Item className={styles.item} onClick={() => void navigate("/settings")}>
              Engine and access
            </Menu.Item>
            <Menu.Item className={styles.item} onClick={() => window.open("/docs", "_blank", "noopener")}>
              API reference
            </Menu.Item>
            {/* Where the engine asks nobody who they are, there is nothing to leave. */}
            {session.token_id !== "local" && <Menu.Separator className={styles.separator} />}
            {session.token_id !== "local" && (
              <Menu.Item className={styles.item} onClick={() => logOut.act()}>
                Log out
              </Menu.Item>
            )}
          </Menu.Popup>
        </Menu.Positioner>
      </Menu.Portal>
    </Menu.Root>
  );
}
